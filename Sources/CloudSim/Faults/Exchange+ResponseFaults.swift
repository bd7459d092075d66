import NIOCore
import NIOHTTP1

extension Exchange {
    /// The default side of faults that can happen on either: uploads fault on the way in, the rest on the way out.
    func direction(of rule: FaultRule) -> FaultDirection {
        rule.direction ?? (target.kind == .write ? .request : .response)
    }

    func applyingFaults(to response: Response) -> ResponsePlan {
        var plan = ResponsePlan(response)
        for fault in faults {
            if apply(fault.rule, &plan), fault.rule.action.firesWhenApplied { self.plan.didFire(fault) }
        }
        return plan
    }

    /// Returns whether the fault had an effect.
    private func apply(_ rule: FaultRule, _ plan: inout ResponsePlan) -> Bool {
        let isSuccess = plan.response.status.code < 300
        switch rule.action {
        case .dropReplyAfterCommit:
            plan.isDropped = true
            return true
        case .resetAfterBytes, .stallAfterBytes, .slow, .flipBit:
            guard direction(of: rule) == .response else { return false }
            return applyToBytes(rule, &plan)
        case .shortBody, .longBody:
            guard isSuccess else { return false }
            return applyToLength(rule, &plan)
        case .wrongETag:
            guard plan.response.headers.contains(name: "ETag") else { return false }
            plan.response.headers.replaceOrAdd(name: "ETag", value: "\"00000000000000000000000000000bad\"")
            return true
        case .missingETag:
            guard plan.response.headers.contains(name: "ETag") else { return false }
            plan.response.headers.remove(name: "ETag")
            return true
        case .wrongChecksum:
            return corruptChecksums(&plan.response.headers)
        case .believeChecksums:
            if isSuccess { confirmChecksums(&plan.response.headers) }
            return false
        case .wrongContentRange:
            return shiftContentRange(&plan.response.headers)
        case .clockSkew:
            return true
        default:
            return false
        }
    }

    private func applyToBytes(_ rule: FaultRule, _ plan: inout ResponsePlan) -> Bool {
        let length = plan.sentLength
        switch rule.action {
        case .slow:
            plan.bytesPerSecond = max(1, rule.bytesPerSecond ?? 1)
            return true
        case .flipBit:
            guard length > 0 else { return false }
            plan.flippedOffset = min(rule.bytes ?? length / 2, length - 1)
            return true
        default:
            guard length > 0, rule.bytes ?? 0 <= length else { return false }
            plan.sentLength = rule.bytes ?? 0
            plan.ending = rule.action == .resetAfterBytes ? .reset : .stall(milliseconds: rule.milliseconds)
            return true
        }
    }

    private func applyToLength(_ rule: FaultRule, _ plan: inout ResponsePlan) -> Bool {
        let isMatching = rule.matchingLength ?? false
        if rule.action == .shortBody {
            guard plan.sentLength > 0 else { return false }
            plan.sentLength -= min(rule.bytes ?? (plan.sentLength + 1) / 2, plan.sentLength)
            if isMatching { plan.contentLength = plan.sentLength }
        } else {
            let extra = ByteBuffer(repeating: UInt8(ascii: "x"), count: rule.bytes ?? 16)
            plan.extra = extra
            if isMatching { plan.contentLength += extra.readableBytes }
        }
        if !isMatching { plan.ending = .close }
        return true
    }

    private func corruptChecksums(_ headers: inout HTTPHeaders) -> Bool {
        let names = headers.map(\.name).filter { name in
            let lower = name.lowercased()
            return (lower.hasPrefix("x-amz-checksum-") && lower != "x-amz-checksum-type") || lower == "x-goog-hash"
                || lower == "content-md5" || lower == "x-ms-content-crc64" || lower == "x-ms-blob-content-md5"
        }
        for name in Set(names) {
            let values = headers[name]
            headers.remove(name: name)
            for value in values { headers.add(name: name, value: Self.otherBase64(value)) }
        }
        return !names.isEmpty
    }

    /// What the client sent takes the place of what was computed.
    private func confirmChecksums(_ headers: inout HTTPHeaders) {
        for (name, value) in receivedHeaders {
            let lower = name.lowercased()
            guard
                (lower.hasPrefix("x-amz-checksum-") && lower != "x-amz-checksum-type"
                    && lower != "x-amz-checksum-algorithm")
                    || lower == "x-ms-content-crc64" || lower == "x-goog-hash"
            else { continue }
            headers.replaceOrAdd(name: name, value: value)
        }
    }

    /// A value of the same form that differs: the first letter behind any `name=` is another one.
    private static func otherBase64(_ value: String) -> String {
        var bytes = Array(value.utf8)
        let start =
            value.hasPrefix("crc32c=") || value.hasPrefix("md5=") ? bytes.firstIndex(of: UInt8(ascii: "="))! + 1 : 0
        if start < bytes.count {
            bytes[start] = bytes[start] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func shiftContentRange(_ headers: inout HTTPHeaders) -> Bool {
        guard let range = headers.first(name: "Content-Range"), range.hasPrefix("bytes "),
            let slash = range.firstIndex(of: "/")
        else { return false }
        let bounds = range.dropFirst(6)[..<slash].split(separator: "-").compactMap { Int($0) }
        guard bounds.count == 2 else { return false }
        headers.replaceOrAdd(name: "Content-Range", value: "bytes \(bounds[0] + 1)-\(bounds[1] + 1)\(range[slash...])")
        return true
    }
}
