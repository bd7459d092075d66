/// Files of tensors made by hand.
enum TensorFile {
    struct Entry {
        var name: String
        /// As safetensors names it.
        var type: String
        /// Elements.
        var count: Int
    }

    static func width(_ type: String) -> Int {
        switch type {
        case "F64", "I64": 8
        case "F32", "I32": 4
        case "F16", "BF16": 2
        default: 1
        }
    }

    /// Tensors in the order given, their bytes from `content`.
    static func safetensors(_ entries: [Entry], metadata: String = "", content: (Entry) -> [UInt8]) -> [UInt8] {
        var offset = 0
        var members: [String] = metadata.isEmpty ? [] : ["\"__metadata__\":{\"note\":\"\(metadata)\"}"]
        for entry in entries {
            let end = offset + entry.count * width(entry.type)
            members.append(
                "\"\(entry.name)\":{\"dtype\":\"\(entry.type)\",\"shape\":[\(entry.count)],\"data_offsets\":[\(offset),\(end)]}"
            )
            offset = end
        }
        let header = Array("{\(members.joined(separator: ","))}".utf8)
        return wrap(header) + entries.flatMap(content)
    }

    /// The length in front, and spaces up to eight bytes as the library writes them.
    static func wrap(_ header: [UInt8]) -> [UInt8] {
        let padded = header + [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
        return number(UInt64(padded.count), 8) + padded
    }

    static func number(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    static func string(_ text: String) -> [UInt8] { number(UInt64(text.utf8.count), 8) + Array(text.utf8) }

    /// A GGUF file with values of all types, and its header's length.
    static func gguf(
        _ entries: [Entry], version: UInt64 = 3, alignment: Int = 32, content: (Entry) -> [UInt8]
    ) -> (file: [UInt8], headerLength: Int) {
        let types: [String: (id: UInt64, bytes: Int)] = [
            "F32": (0, 4), "F16": (1, 2), "Q8": (8, 1), "F64": (28, 8), "BF16": (30, 2),
        ]
        let pairs: [[UInt8]] = [
            string("general.architecture") + number(8, 4) + string("test"),
            string("general.alignment") + number(4, 4) + number(UInt64(alignment), 4),
            string("a.byte") + number(0, 4) + [1],
            string("a.word") + number(2, 4) + [1, 2],
            string("a.float") + number(6, 4) + [1, 2, 3, 4],
            string("a.flag") + number(7, 4) + [1],
            string("a.long") + number(10, 4) + number(7, 8),
            string("tokens") + number(9, 4) + number(8, 4) + number(3, 8) + string("a") + string("") + string("bc"),
            string("no tokens") + number(9, 4) + number(8, 4) + number(0, 8),
            string("scores") + number(9, 4) + number(6, 4) + number(3, 8) + [UInt8](repeating: 1, count: 12),
        ]
        var file = Array("GGUF".utf8) + number(version, 4) + number(UInt64(entries.count), 8)
        file += number(UInt64(pairs.count), 8) + pairs.flatMap { $0 }
        var data: [UInt8] = []
        for entry in entries {
            let type = types[entry.type]!
            file += string(entry.name) + number(1, 4) + number(UInt64(entry.count), 8) + number(type.id, 4)
            file += number(UInt64(data.count), 8)
            data += content(entry)
            data += [UInt8](repeating: 0, count: (alignment - data.count % alignment) % alignment)
        }
        file += [UInt8](repeating: 0, count: (alignment - file.count % alignment) % alignment)
        return (file + data, file.count)
    }
}
