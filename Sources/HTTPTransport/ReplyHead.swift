/// The head of a reply, put together line by line as the library hands the lines over.
///
/// Interim replies (1xx) are forgotten when the next status line comes; trailers after a chunked body are ignored.
struct ReplyHead {
    /// 0 until a status line was read.
    private(set) var status = 0
    private(set) var headers = HTTPHeaders()
    /// The empty line after the last field of the final reply was read.
    private(set) var isComplete = false

    /// All lines together, in bytes; far beyond what any store sends.
    static let sizeLimit = 128 << 10

    private var size = 0

    var isSuccess: Bool { status >= 200 && status < 300 }

    /// Takes one line with its line end. Returns what is wrong with it, or nil.
    mutating func consume(_ line: UnsafeRawBufferPointer) -> String? {
        if isComplete { return nil }
        size += line.count
        if size > Self.sizeLimit { return "the reply's head is longer than \(Self.sizeLimit) bytes" }
        let text = Self.withoutLineEnd(line)
        if text.isEmpty {
            isComplete = !isInterim
            return nil
        }
        if Self.isStatusLine(text) { return startReply(text) }
        return consumeField(text)
    }

    private var isInterim: Bool { status >= 100 && status < 200 && status != 101 }

    private mutating func startReply(_ line: Slice<UnsafeRawBufferPointer>) -> String? {
        guard let space = line.firstIndex(of: UInt8(ascii: " ")), line.endIndex - space >= 4 else {
            return "the reply's status line has no status"
        }
        status = 0
        for digit in line[(space + 1)..<(space + 4)] {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else {
                return "the reply's status is not a number"
            }
            status = status * 10 + Int(digit - UInt8(ascii: "0"))
        }
        headers = HTTPHeaders()
        return nil
    }

    private mutating func consumeField(_ line: Slice<UnsafeRawBufferPointer>) -> String? {
        // A line that starts with a blank continues the one before: obsolete since RFC 7230, and no store does it.
        guard let first = line.first, first != UInt8(ascii: " "), first != UInt8(ascii: "\t") else {
            return "a header field of the reply is folded"
        }
        // The library passes lines without a colon too; they carry nothing.
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = line[line.startIndex..<colon]
        headers.append(Self.lowercased(name), Self.trimmed(line[(colon + 1)...]))
        return nil
    }

    private static func isStatusLine(_ line: Slice<UnsafeRawBufferPointer>) -> Bool {
        line.count >= 5 && line.starts(with: [0x48, 0x54, 0x54, 0x50, 0x2F])
    }

    private static func withoutLineEnd(_ line: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
        var end = line.count
        while end > 0, line[end - 1] == 0x0A || line[end - 1] == 0x0D { end -= 1 }
        return line[0..<end]
    }

    private static func lowercased(_ name: Slice<UnsafeRawBufferPointer>) -> String {
        String(unsafeUninitializedCapacity: name.count) { letters in
            var count = 0
            for byte in name {
                letters[count] = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
                count += 1
            }
            return count
        }
    }

    private static func trimmed(_ value: Slice<UnsafeRawBufferPointer>) -> String {
        var value = value
        while let first = value.first, first == 0x20 || first == 0x09 { value.removeFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value.removeLast() }
        return String(decoding: UnsafeRawBufferPointer(rebasing: value), as: UTF8.self)
    }
}
