import COpenSSL

/// scrypt (RFC 7914): makes guessing a passphrase cost memory and time.
package enum Scrypt {
    package struct Parameters: Sendable, Hashable, Codable {
        /// Steps; a power of two above 1.
        package var n: Int
        /// Block size in units of 128 bytes.
        package var r: Int
        /// Independent runs.
        package var p: Int

        package init(n: Int, r: Int, p: Int) {
            self.n = n
            self.r = r
            self.p = p
        }

        /// 64 MiB and about a quarter of a second.
        package static let standard = Parameters(n: 1 << 16, r: 8, p: 1)

        /// Bytes of memory that a derivation takes, about; nil where the numbers make no sense or exceed `maxMemory`.
        ///
        /// The parameters are read from storage that others may write: they must not make this machine run out of memory or time.
        package var memory: Int? {
            guard (2...(1 << 24)).contains(n), n & (n - 1) == 0, (1...64).contains(r), (1...16).contains(p) else {
                return nil
            }
            let bytes = 128 * r * (n + p)
            return bytes <= Scrypt.maxMemory ? bytes : nil
        }
    }

    /// 1 GiB for the steps, and room for the runs' own blocks.
    package static let maxMemory = (1 << 30) + (1 << 20)

    /// 32 bytes.
    package static func derive(
        password: Secret, salt: [UInt8], _ parameters: Parameters
    ) throws(CryptographyError) -> Secret {
        try derive(32, password: password, salt: salt, parameters)
    }

    package static func derive(
        _ count: Int, password: Secret, salt: [UInt8], _ parameters: Parameters
    ) throws(CryptographyError) -> Secret {
        guard let memory = parameters.memory else {
            throw CryptographyError(
                code: .unsupportedParameters,
                message: "scrypt with n=\(parameters.n), r=\(parameters.r), p=\(parameters.p) is not supported: "
                    + "n is a power of two, r at most 64, p at most 16, and the memory at most 1 GiB")
        }
        var isDerived = false
        let key = Secret(count: count) { output in
            isDerived = password.withBytes { password in
                salt.withUnsafeBytes { salt in
                    derive(output, password: password, salt: salt, parameters, memory: memory)
                }
            }
        }
        guard isDerived else {
            throw CryptographyError.openSSL(
                .operationFailed, "scrypt failed: it needs \(memory >> 20) MiB of free memory")
        }
        return key
    }

    private static func derive(
        _ output: UnsafeMutableRawBufferPointer, password: UnsafeRawBufferPointer, salt: UnsafeRawBufferPointer,
        _ parameters: Parameters, memory: Int
    ) -> Bool {
        var n = UInt64(parameters.n)
        var r = UInt32(parameters.r)
        var p = UInt32(parameters.p)
        // OpenSSL counts a few blocks more than RFC 7914 does.
        var limit = UInt64(memory) + (1 << 20)
        // OpenSSL wants an address also for nothing.
        var nothing: UInt8 = 0
        return withUnsafeMutablePointer(to: &nothing) { nothing in
            let none = UnsafeRawBufferPointer(start: nothing, count: 0)
            return withUnsafeMutablePointer(to: &n) { n in
                withUnsafeMutablePointer(to: &r) { r in
                    withUnsafeMutablePointer(to: &p) { p in
                        withUnsafeMutablePointer(to: &limit) { limit in
                            function.derive(
                                output,
                                [
                                    .octets("pass", password.isEmpty ? none : password),
                                    .octets("salt", salt.isEmpty ? none : salt),
                                    .number("n", n), .number("r", r), .number("p", p),
                                    .number("maxmem_bytes", limit),
                                ])
                        }
                    }
                }
            }
        }
    }

    private static let function = KeyDerivation("SCRYPT")
}
