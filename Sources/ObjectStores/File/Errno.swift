#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The error number of a failed system call.
struct Errno: Error, Hashable {
    var code: Int32

    init(_ code: Int32) {
        self.code = code
    }

    /// Makes a call of the C library that reports by -1 and `errno`, again when a signal interrupts it.
    @inline(__always)
    @discardableResult
    static func check<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
        while true {
            let result = call()
            if result >= 0 { return result }
            let code = errno
            if code != EINTR { throw Errno(code) }
        }
    }

    /// Takes the result of a call that reports by a negative error number.
    @inline(__always)
    @discardableResult
    static func take<Result: FixedWidthInteger & SignedInteger>(_ result: Result) throws(Errno) -> Result {
        if result < 0 { throw Errno(Int32(-result)) }
        return result
    }

    /// What the calls failed with; nil when they did not.
    static func of(_ calls: () throws(Errno) -> Void) -> Errno? {
        do throws(Errno) {
            try calls()
            return nil
        } catch {
            return error
        }
    }

    var text: String { "\(String(cString: strerror(code))) (errno \(code))" }

    static let absent = Errno(ENOENT)
    static let exists = Errno(EEXIST)
    static let notDirectory = Errno(ENOTDIR)
    static let isDirectory = Errno(EISDIR)
    static let notEmpty = Errno(ENOTEMPTY)
    static let symbolicLink = Errno(ELOOP)
    /// A path that leads out of the directory that it was opened below.
    static let outside = Errno(EXDEV)
    static let nameTooLong = Errno(ENAMETOOLONG)
    static let invalid = Errno(EINVAL)
    static let illegal = Errno(EILSEQ)
}
