import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What went wrong in the file system, before it is known which call of the store that was.
struct FileFailure: Error {
    var code: StoreError.Code
    var message: String
    var retry: StoreError.Retry = .never

    init(_ code: StoreError.Code, _ message: String, retry: StoreError.Retry = .never) {
        self.code = code
        self.message = message
        self.retry = retry
    }

    /// - Parameters:
    ///   - action: "reading", "renaming".
    ///   - bytesNeeded: for a full disk, what there has to be room for.
    init(_ errno: Errno, _ action: String, _ path: String, bytesNeeded: Int64? = nil) {
        let what = "\(action) \(ObjectKey(path)): \(errno.text)"
        switch errno.code {
        case ENOENT: self.init(.notFound, what)
        case EACCES, EPERM:
            self.init(.forbidden, what + "; check the owner and the mode of the file and its directories")
        case EROFS: self.init(.forbidden, what + "; the file system is mounted read-only")
        case ENOSPC, EDQUOT:
            let need = bytesNeeded.map { "; \($0) bytes are needed" } ?? ""
            self.init(.noSpace, what + need + "; make room or choose another target")
        case EMFILE, ENFILE, ENOMEM, EAGAIN, EBUSY, ESTALE: self.init(.unavailable, what, retry: .transient)
        case ENAMETOOLONG: self.init(.invalidKey, what + "; the file system takes no names of this length")
        case ELOOP: self.init(.invalidKey, what + "; a symbolic link is in the way, and links are not followed")
        case ENOTDIR: self.init(.invalidKey, what + "; a file is where the key needs a directory")
        case EISDIR: self.init(.invalidKey, what + "; a directory is where the key needs a file")
        case EILSEQ, EINVAL: self.init(.invalidKey, what + "; the file system does not take this name")
        case EFBIG: self.init(.unsupportedObject, what + "; the file system holds no files of this size")
        case EXDEV:
            self.init(.local, what + "; a mount point inside the directory separates it from its temporary files")
        default: self.init(.local, what)
        }
    }
}

extension StoreError {
    init(_ failure: FileFailure, _ operation: StoreOperation, _ key: ObjectKey?) {
        self.init(failure.code, operation, key: key, message: failure.message, retry: failure.retry)
    }
}
