import COpenSSL

/// A key, token or password that does not print itself, cannot be encoded, and is wiped when nobody holds it any more.
///
/// Unchecked: the bytes are written by `init` and `deinit` only.
package final class Secret: @unchecked Sendable, RawBytes {
    private let bytes: UnsafeMutableRawBufferPointer

    package init(_ bytes: some RawBytes) {
        self.bytes = bytes.withRawBytes { bytes in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
            copy.copyMemory(from: bytes)
            return copy
        }
    }

    /// Made in place, so that no other copy is left to wipe: `fill` writes every byte.
    package init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        fill(bytes)
    }

    package convenience init(_ text: String) {
        self.init(text.utf8)
    }

    deinit {
        OPENSSL_cleanse(bytes.baseAddress, bytes.count)
        bytes.deallocate()
    }

    /// Bytes that nobody can foretell.
    package static func random(_ count: Int) -> Secret {
        Secret(count: count) { demand(RAND_bytes($0.baseAddress, Int32(count)), "give random bytes") }
    }

    package var isEmpty: Bool { bytes.isEmpty }
    package var count: Int { bytes.count }

    /// The bytes are there during the call only.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(bytes))
    }

    package func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withBytes(body)
    }

    /// A copy that is not wiped and that prints itself: for the header or file that has to carry the secret.
    package func revealed() -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}

extension Secret: Hashable {
    package static func == (a: Secret, b: Secret) -> Bool { ConstantTime.equal(a, b) }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<secret>" }
    package var debugDescription: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .class) }
}
