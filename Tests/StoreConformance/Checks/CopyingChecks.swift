import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let copyingChecks: [ConformanceCheck] = [
        ConformanceCheck("a copy has the bytes and the attributes", needs: [.copy]) { context in
            let attributes = context.store.rules.fit(TestAttributes.full).kept
            for (size, name) in [(0, "empty"), (1, "one"), (70_000, "many")] {
                let content = TestContent(size, seed: 180)
                let source = context.key("from/\(name)")
                let version = try await context.put(content, at: source, attributes: attributes).version
                let receipt = try await context.copy(source, version, size: size, to: context.key("to/\(name)"))
                try await context.expectObject(
                    context.key("to/\(name)"), holds: content, version: receipt.version,
                    attributes: context.fixture.omitted[.attributes] == nil ? attributes : nil)
                try context.expectChecksums(receipt.checksums, of: content, "the receipt of a copy")
                try await context.expectObject(source, holds: content, version: version)
            }
        },
        ConformanceCheck("a copy between odd keys", needs: [.copy, .oddKeys]) { context in
            let (source, target) = (context.key("a+b %2F c&d=ü/<e>#?"), context.key("to+%25 é?&"))
            guard context.store.rules.problem(with: source) == nil, context.store.rules.problem(with: target) == nil
            else { return }
            let content = TestContent(100, seed: 181)
            let version = try await context.put(content, at: source).version
            let receipt = try await context.copy(source, version, size: 100, to: target)
            try await context.expectObject(target, holds: content, version: receipt.version)
        },
        ConformanceCheck("a copy is pinned to the version of its source", needs: [.copy, .pinnedReads]) { context in
            let source = context.key("source")
            let old = try await context.put(TestContent(100, seed: 182), at: source).version
            try await context.put(TestContent(100, seed: 183), at: source)
            try await context.expectFailure(.versionChanged, .preconditionFailed, of: "a copy of the replaced version")
            {
                try await context.copy(source, old, size: 100, to: context.key("target"))
            }
            try await context.expectAbsent(context.key("target"))
        },
        ConformanceCheck("an absent object is not copied", needs: [.copy]) { context in
            let gone = try await context.put(TestContent(100, seed: 184), at: context.key("source")).version
            try await context.delete(context.key("source"))
            try await context.expectFailure(.notFound, .versionChanged, of: "a copy of a deleted object") {
                try await context.copy(context.key("source"), gone, size: 100, to: context.key("target"))
            }
            try await context.expectAbsent(context.key("target"))
        },
        ConformanceCheck("the condition of a copy holds or nothing happens", needs: [.copy, .conditionalCopy]) {
            context in
            let (source, target) = (context.key("source"), context.key("target"))
            let content = TestContent(100, seed: 185)
            let version = try await context.put(content, at: source).version
            let first = try await context.copy(source, version, size: 100, to: target, condition: .absent)
            try await context.expectFailure(.preconditionFailed, of: "a create-only copy over an object") {
                try await context.copy(source, version, size: 100, to: target, condition: .absent)
            }
            try await context.expectObject(target, holds: content, version: first.version)
            let foreign = try await context.put(TestContent(90, seed: 186), at: target).version
            if foreign != first.version {
                try await context.expectFailure(.preconditionFailed, of: "a copy that names the version before") {
                    try await context.copy(source, version, size: 100, to: target, condition: .matches(first.version))
                }
            }
            try await context.expectObject(target, holds: TestContent(90, seed: 186), version: foreign)
            let last = try await context.copy(source, version, size: 100, to: target, condition: .matches(foreign))
            try await context.expectObject(target, holds: content, version: last.version)
        },
        ConformanceCheck("parts are made from ranges of an object", needs: [.multipart, .partCopy]) { context in
            let size = context.partSize
            let old = TestContent(3 * size, seed: 187)
            let source = context.key("source +&/object")
            let version = try await context.put(old, at: source).version
            // The middle is new; both ends come from the object that is there, one with a known digest.
            let middle = TestContent(size, seed: 188)
            let content = TestContent(old.part(size, size).bytes + middle.bytes + old.part(5, 1000).bytes)
            let session = try await context.begin(context.key("object"), size: content.count)
            guard session.partOrder == .parallel else { return }
            var parts = [try await context.sendPart(middle, number: 2, of: session)]
            for (number, offset, count, known) in [(1, size, size, true), (3, 5, 1000, false)] {
                let range = ByteRange(offset: Int64(offset), length: Int64(count))
                let receipt = try await context.store.copyPart(
                    PartCopyRequest(
                        number: number, offset: Int64(number - 1) * session.partSize, source: source,
                        sourceVersion: version,
                        range: range, digest: known ? old.part(offset, count).digest : nil), of: session)
                try context.expectEqual(receipt.number, number, "the number of the copied part")
                try context.expectEqual(receipt.size, range.length, "the size of the copied part")
                if let digest = receipt.digest {
                    try context.expectEqual(digest, old.part(offset, count).digest, "the digest of the copied part")
                }
                parts.append(receipt)
            }
            let receipt = try await context.complete(
                session, parts.sorted { $0.number < $1.number }, digest: content.digest)
            try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
        },
        ConformanceCheck(
            "a copied part is pinned to the version of its source", needs: [.multipart, .partCopy, .pinnedReads]
        ) { context in
            let source = context.key("source")
            let size = context.partSize
            let old = try await context.put(TestContent(size, seed: 189), at: source).version
            try await context.put(TestContent(size, seed: 190), at: source)
            let session = try await context.begin(context.key("object"), size: size)
            try await context.expectFailure(.versionChanged, .preconditionFailed, of: "a part of the replaced version")
            {
                try await context.store.copyPart(
                    PartCopyRequest(
                        number: 1, offset: 0, source: source, sourceVersion: old,
                        range: ByteRange(offset: 0, length: Int64(size))),
                    of: session)
            }
        },
    ]
}
