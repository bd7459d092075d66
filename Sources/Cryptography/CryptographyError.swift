import COpenSSL

/// A key that cannot be used, or an operation that OpenSSL refused.
package struct CryptographyError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The text is no key of the wanted kind.
        case invalidKey
        /// The key is protected by a passphrase, which nobody can be asked for.
        case encryptedKey
        /// The passphrase does not open the key.
        case wrongPassword
        /// The numbers that steer a derivation are not allowed.
        case unsupportedParameters
        case operationFailed
    }

    package let code: Code
    /// What happened and what to do; never anything of a key.
    package let message: String

    package var description: String { message }

    /// With OpenSSL's own reason, whose queue of this thread is emptied.
    static func openSSL(_ code: Code, _ message: String) -> CryptographyError {
        let error = ERR_get_error()
        ERR_clear_error()
        guard error != 0, let reason = ERR_reason_error_string(error) else {
            return CryptographyError(code: code, message: message)
        }
        return CryptographyError(code: code, message: "\(message) (\(String(cString: reason)))")
    }
}

/// Stops the program where OpenSSL fails at what fails for want of memory or of a provider only.
func demand(_ status: Int32, _ purpose: @autoclosure () -> String) {
    precondition(status == 1, "OpenSSL could not \(purpose())")
}

func demand<Value>(_ value: Value?, _ purpose: @autoclosure () -> String) -> Value {
    guard let value else { preconditionFailure("OpenSSL could not \(purpose())") }
    return value
}
