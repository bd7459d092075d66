import ObjectStores
import ReplicationModel

/// Whether keys are kept byte for byte, listed at once, in the order of their bytes, and from any key on.
struct NamesProbe: DoctorProbe {
    var subject: String { "keys" }

    /// Which sort differently by bytes, by UTF-16, by case and by path, or that somebody may rewrite on their way: blanks, signs of URLs
    /// and of XML, both normal forms of one letter, empty segments, a slash at the end, parents, the longest key.
    private static let names = [
        "B", "a b+%25&<'\">?#", "a-", "a//b", "a/b/", "a0", "\u{E9}", "e\u{301}", "\u{FF61}", "\u{1F600}",
        "up/../down",
    ]
    private static let longest = 1024

    static func folder(_ bench: DoctorBench) -> ObjectKey { bench.key("keys/") }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        let folder = Self.folder(bench)
        var kept: [ObjectKey] = []
        var refused: [String] = []
        var breakdown: StoreError?
        for key in Self.names.map({ folder + ObjectKey($0) }) + [Self.longKey(folder, bench.store.rules)] {
            if let problem = bench.store.rules.problem(with: key) {
                refused.append("\(Self.shown(key, below: folder)): \(problem)")
                continue
            }
            do throws(StoreError) {
                // Sizes tell apart which object is which when two names become one.
                _ = try await bench.put(key, try await bench.content(100 + kept.count, seed: 3), .unconditional)
                kept.append(key)
            } catch {
                // A server that breaks down over a key may have stored it all the same.
                if error.code == .unavailable || error.code == .network {
                    breakdown = error
                } else if error.isNoAnswer {
                    throw error
                } else {
                    bench.forget(key)
                }
                refused.append("\(Self.shown(key, below: folder)): \(error.message)")
            }
        }
        guard kept.count > 4 else {
            if let breakdown { throw breakdown }
            bench.tell(.failure, subject, "the server refuses keys: \(refused.joined(separator: "; "))")
            return
        }
        if try await compareListing(folder, kept, bench) { tellKept(kept.count, refused, bench) }
    }

    private func tellKept(_ count: Int, _ refused: [String], _ bench: DoctorBench) {
        if refused.isEmpty {
            bench.tell(
                .ok, subject, "\(count) unusual keys are kept byte for byte, the longest of \(Self.longest) bytes",
                engine: "a key at the source is the same key here")
        } else {
            bench.tell(
                .instead, subject,
                "\(count) unusual keys are kept byte for byte; not taken: "
                    + refused.joined(separator: "; "), engine: "objects with such keys are skipped, and each is named")
        }
    }

    /// False when the names were not kept, which is told.
    private func compareListing(
        _ folder: ObjectKey, _ kept: [ObjectKey], _ bench: DoctorBench
    ) async throws(StoreError) -> Bool {
        let page = try await bench.store.list(ListRequest(prefix: folder, limit: 1000))
        let uncertain = bench.keys.filter { $0.hasPrefix(folder) }.subtracting(kept)
        let objects = page.objects.filter { !uncertain.contains($0.key) }
        if objects.count < page.objects.count {
            _ = await bench.store.delete(uncertain.map { DeleteRequest(key: $0, version: nil) })
        }
        let found = objects.map(\.key)
        let missing = kept.filter { !found.contains($0) }
        let strange = found.filter { !kept.contains($0) }
        if let first = missing.first, Set(found).count < found.count {
            bench.tell(
                .failure, subject, "\(Self.shown(first, below: folder)) is listed under another key's name",
                engine: "two objects could become one")
            return false
        }
        if let first = missing.first, let other = strange.first {
            bench.tell(
                .failure, subject,
                "\(Self.shown(first, below: folder)) is listed as \(Self.shown(other, below: folder)): the server changes names",
                engine: "two objects could become one")
            return false
        }
        guard missing.isEmpty, strange.isEmpty, page.next == nil else {
            bench.tell(
                .failure, "list-after-write",
                missing.first.map { "\(missing.count) objects that were just written are not listed, \($0) is one" }
                    ?? strange.first.map { "\($0) is listed, and nobody wrote it" }
                    ?? "a listing of \(kept.count) objects does not end on its page of 1,000",
                engine: "objects would be copied again and again, and deletions could not be trusted")
            return false
        }
        for object in objects where object.size != Int64(100 + kept.firstIndex(of: object.key)!) {
            bench.tell(
                .failure, subject, "\(Self.shown(object.key, below: folder)) has the bytes of another key",
                engine: "two objects could become one")
            return false
        }
        bench.tell(.ok, "list-after-write", "what was written is listed at once")
        try await compareOrder(folder, found, kept.sorted(), bench)
        return true
    }

    private func compareOrder(
        _ folder: ObjectKey, _ found: [ObjectKey], _ sorted: [ObjectKey], _ bench: DoctorBench
    ) async throws(StoreError) {
        guard Set(found).count == found.count else {
            bench.tell(
                .failure, "list-order", "a key is listed twice",
                engine: "the engine refuses such a listing: no run would come far")
            return
        }
        guard bench.store.capabilities.listingOrder == .bytewise else {
            bench.tell(
                .failure, "list-order", "keys have no order to rely on", engine: "no run can compare the two sides")
            return
        }
        guard found == sorted else {
            let index = zip(found, sorted).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? 0
            bench.tell(
                .failure, "list-order",
                "\(Self.shown(found[index], below: folder)) is listed where \(Self.shown(sorted[index], below: folder)) belongs by its bytes",
                engine: "the engine refuses such a listing: no run would come far")
            return
        }
        if let problem = try await wrongContinuation(folder, sorted, bench) {
            bench.tell(.failure, "list-order", problem, engine: "objects would be missed or listed twice")
        } else {
            bench.tell(
                .ok, "list-order", "keys are listed by their bytes, and listings go on after any key",
                engine: "both sides are compared while they are listed")
        }
    }

    /// What goes wrong when a listing is taken page by page, and from a key on.
    private func wrongContinuation(
        _ folder: ObjectKey, _ sorted: [ObjectKey], _ bench: DoctorBench
    ) async throws(StoreError) -> String? {
        let step = (sorted.count + 1) / 2
        var found: [ObjectKey] = []
        var cursor: String?
        // A page may be short, and none may repeat.
        for _ in 0..<4 {
            let page = try await bench.store.list(ListRequest(prefix: folder, cursor: cursor, limit: step))
            found += page.objects.map(\.key)
            cursor = page.next
            if cursor == nil || found.count > sorted.count { break }
        }
        guard cursor == nil, found == sorted else {
            return "page by page, \(found.count) keys are listed where there are \(sorted.count)"
        }
        // After a key that is there, and after one that is not.
        for (after, first) in [(sorted[2], 3), (sorted[3] + "!", 4)] {
            let page = try await bench.store.list(ListRequest(prefix: folder, startAfter: after, limit: 3))
            let keys = page.objects.map(\.key)
            guard !keys.isEmpty, keys == Array(sorted[first...].prefix(keys.count)) else {
                return "a listing that starts after \(Self.shown(after, below: folder)) starts elsewhere"
            }
        }
        return nil
    }

    /// The longest key that the store says it takes, up to 1,024 bytes with everything before it.
    private static func longKey(_ folder: ObjectKey, _ rules: any ObjectRules) -> ObjectKey {
        var key = folder + ObjectKey([UInt8](repeating: UInt8(ascii: "l"), count: max(1, longest - folder.bytes.count)))
        while rules.problem(with: key) != nil, key.bytes.count > folder.bytes.count + 1 { key.bytes.removeLast() }
        return key
    }

    private static func shown(_ key: ObjectKey, below folder: ObjectKey) -> String {
        guard key.hasPrefix(folder) else { return "`\(key)`" }
        let name = ObjectKey(Array(key.bytes.dropFirst(folder.bytes.count)))
        return name.bytes.count > 60 ? "the key of \(key.bytes.count) bytes" : "`\(name)`"
    }
}
