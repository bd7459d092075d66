import Cryptography
import Digests

extension AzureBlobFrontEnd {
    /// Requests older or younger than this are refused.
    private static let permittedSkewSeconds: Int64 = 15 * 60

    /// Throws unless the request carries a valid SharedKey signature, a shared access signature that allows it, or a known token.
    /// - Parameter isPart: whether it is a part of a batch, which need not name a version.
    func authorize(
        _ request: AzureRequest, _ operation: AzureOperation, isPart: Bool = false
    ) throws(AzureError) {
        if let version = request.header("x-ms-version") { try AzureVersion.check(version) }
        guard let key = keys[request.account] else { throw .resourceNotFound }
        guard services.configuration.verifiesSignatures else { return }
        if let sas = try AzureSAS(request) {
            try check(sas, key: key)
            try sas.checkPermission(operation, isCreation: currentBlob(request) == nil)
        } else if let authorization = request.header("authorization"), authorization.hasPrefix("Bearer ") {
            try checkToken(authorization, request, isPart: isPart)
        } else if let authorization = request.header("authorization") {
            try checkSharedKey(authorization, request, key: key, isPart: isPart)
        } else {
            throw .noAuthentication
        }
    }

    private func check(_ sas: AzureSAS, key: [UInt8]) throws(AzureError) {
        guard let text = sas.stringToSign else { throw .authenticationFailed("The signed resource is another one.") }
        let expected = HMACSHA256.authenticate(key: key, message: text.utf8)
        guard ConstantTime.equal(expected, sas.signature) else {
            throw .authenticationFailed("Signature did not match. String to sign used was \(text)")
        }
        try sas.checkUse(now: services.clock.now)
    }

    private func checkSharedKey(
        _ authorization: String, _ request: AzureRequest, key: [UInt8], isPart: Bool
    ) throws(AzureError) {
        guard authorization.hasPrefix("SharedKey ") else {
            throw .authenticationFailed("The simulator knows the authorization schemes SharedKey and Bearer only.")
        }
        let parts = authorization.dropFirst(10).split(separator: ":", maxSplits: 1)
        guard parts.count == 2, parts[0] == request.account, let signature = Base64.decode(String(parts[1])) else {
            throw .authenticationFailed("The Authorization header is not of the form SharedKey ACCOUNT:SIGNATURE.")
        }
        guard isPart || request.header("x-ms-version") != nil else { throw .missingHeader("x-ms-version") }
        try checkDate(request)
        let text = AzureSharedKey.stringToSign(request)
        guard ConstantTime.equal(HMACSHA256.authenticate(key: key, message: text), signature) else {
            let shown = String(decoding: text, as: UTF8.self)
            throw .authenticationFailed(
                "The MAC signature found in the HTTP request is not the computed one. "
                    + "Server used following string to sign: '\(shown)'.")
        }
    }

    /// Tokens open everything, as those of a Storage Blob Data Owner do.
    private func checkToken(_ authorization: String, _ request: AzureRequest, isPart: Bool) throws(AzureError) {
        guard isPart || request.header("x-ms-version") != nil else { throw .missingHeader("x-ms-version") }
        guard request.version >= AzureVersion.tokens else {
            throw .invalidHeader("x-ms-version", request.version)
        }
        let token = authorization.dropFirst("Bearer ".count)
        guard services.configuration.azure.bearerTokens.contains(where: { $0 == token }) else {
            throw .invalidToken("Lifetime validation failed. The token is expired, or it is none of this server's.")
        }
    }

    private func checkDate(_ request: AzureRequest) throws(AzureError) {
        guard let text = request.header("x-ms-date") ?? request.header("date"), let date = SimTime(httpDate: text)
        else {
            throw .authenticationFailed("The request has neither a valid x-ms-date nor a valid Date header.")
        }
        guard abs(services.clock.now.seconds - date.seconds) <= Self.permittedSkewSeconds else {
            throw .authenticationFailed("Request date header too old: '\(text)'")
        }
    }

    /// Whether `request` is authorized by the account's key itself, which also opens the account's other blobs as sources.
    func usesAccountKey(_ request: AzureRequest) -> Bool {
        request.parameter("sig") == nil && request.header("authorization")?.hasPrefix("SharedKey ") == true
    }
}
