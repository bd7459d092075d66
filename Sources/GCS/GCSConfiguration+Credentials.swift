package import Google
package import HTTPStores
package import HTTPTransport
import ObjectStores

extension GCSConfiguration {
    /// The credentials for requests to this endpoint, or nil for anonymous ones: for an emulator, and for another endpoint than Google's
    /// when nobody named credentials, since those that are merely found are for Google's eyes.
    ///
    /// - Parameters:
    ///   - selfSigned: service accounts sign tokens for each hour here, without a token service.
    ///   - now: seconds since 1970.
    package func credentials(
        _ identity: GoogleIdentity = GoogleIdentity(), environment: [String: String], transport: any HTTPTransport,
        selfSigned: Bool = false, now: @escaping @Sendable () -> Int64
    ) throws(SettingError) -> SharedCredentials<GoogleToken>? {
        if isEmulator { return nil }
        if !isGoogle, !GoogleCredentials.areNamed(by: identity, environment: environment) { return nil }
        try identity.check()
        let credentials = GoogleCredentials.shared(
            identity, scope: .objects, environment: environment, transport: transport, selfSigned: selfSigned, now: now)
        guard credentials == nil || endpoint.scheme == "https" || endpoint.isLoopback else {
            throw SettingError(
                "endpoint",
                message:
                    "a token must not travel unencrypted: use https for \(endpoint), or name no credentials"
            )
        }
        return credentials
    }
}
