import CKernels
import Foundation
import ReplicationModel

/// An object's attributes as they are kept with its file: JSON in one extended attribute, absent when there are none.
enum FileAttributes {
    static let name = "user.lockstep.attributes"

    /// Bytes of the JSON text. ext4 keeps all extended attributes of a file in one block of 4,096 bytes.
    static let limit = 3584
    /// What the JSON needs besides names and values.
    static let overhead = 160

    /// Most bytes that a name and its value take as JSON: an escaped character takes six.
    static func cost(of name: String, _ value: String) -> Int {
        func length(_ text: String) -> Int {
            text.utf8.reduce(0) { sum, byte in
                switch byte {
                case 0..<0x20, 0x7F: sum + 6
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): sum + 2
                default: sum + 1
                }
            }
        }
        return length(name) + length(value) + 6
    }

    /// Whether the file system of this directory keeps extended attributes of users.
    static func areKept(by directory: FileDescriptor) -> Bool {
        let result = lockstep_get_attribute(directory.number, name, nil, 0)
        return result >= 0 || lockstep_is_no_attribute(Int32(-result))
    }

    static func read(_ file: FileDescriptor, _ path: String) throws(FileFailure) -> ObjectAttributes {
        let text: Result<Data?, Errno> = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let count = lockstep_get_attribute(file.number, name, buffer.baseAddress, buffer.count)
            if count >= 0 { return .success(Data(bytes: buffer.baseAddress!, count: count)) }
            let error = Errno(Int32(-count))
            return lockstep_is_no_attribute(error.code) || error.code == ENOTSUP ? .success(nil) : .failure(error)
        }
        switch text {
        case .success(nil): return ObjectAttributes()
        case .failure(let error): throw FileFailure(error, "reading the attributes of", path)
        case .success(let text?):
            do {
                return try JSONDecoder().decode(ObjectAttributes.self, from: text)
            } catch {
                throw FileFailure(
                    .invalidResponse,
                    "the extended attribute \(name) of \(ObjectKey(path)) is not what this program wrote; remove it with setfattr -x"
                )
            }
        }
    }

    /// Does nothing for attributes that say nothing.
    static func write(_ attributes: ObjectAttributes, to file: FileDescriptor, _ path: String) throws(FileFailure) {
        guard attributes != ObjectAttributes() else { return }
        let text: Data
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            text = try encoder.encode(attributes)
        } catch {
            throw FileFailure(
                .invalidRequest, "the attributes of \(ObjectKey(path)) cannot be written as JSON: \(error)")
        }
        guard text.count <= limit else {
            throw FileFailure(
                .unsupportedObject,
                "the attributes of \(ObjectKey(path)) take \(text.count) bytes; a file keeps at most \(limit)")
        }
        let result = text.withUnsafeBytes { lockstep_set_attribute(file.number, name, $0.baseAddress, $0.count) }
        guard result >= 0 else {
            let error = Errno(-result)
            if error.code == ENOTSUP {
                throw FileFailure(
                    .unsupportedObject, "the file system of \(ObjectKey(path)) keeps no extended attributes")
            }
            throw FileFailure(error, "writing the attributes of", path)
        }
    }
}
