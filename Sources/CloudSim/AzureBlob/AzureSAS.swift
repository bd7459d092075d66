import Digests

/// A shared access signature: what its query parameters allow, and the string that its signature is made over.
struct AzureSAS {
    enum Scope: Equatable {
        /// An account SAS: services (`ss`) and resource types (`srt`).
        case account(services: String, resourceTypes: String)
        /// A service SAS: the kind of resource (`sr`).
        case service(resource: String)
    }

    let scope: Scope
    let permissions: String
    let signature: [UInt8]
    let version: String

    private let request: AzureRequest

    /// Nil when the request has no `sig` parameter.
    init?(_ request: AzureRequest) throws(AzureError) {
        guard let text = request.parameter("sig") else { return nil }
        guard let signature = Base64.decode(text) else { throw .authenticationFailed("Signature is not base64.") }
        guard let version = request.parameter("sv") else { throw .authenticationFailed("sv is mandatory.") }
        try AzureVersion.check(version)
        guard request.parameter("si") == nil else { throw .notSimulated("stored access policies (si)") }
        guard request.parameter("skoid") == nil else { throw .notSimulated("user delegation SAS (skoid)") }
        self.request = request
        self.signature = signature
        self.version = version
        permissions = request.parameter("sp") ?? ""
        if let resource = request.parameter("sr") {
            guard ["b", "c", "bs", "bv"].contains(resource) else {
                throw .authenticationFailed("Signed resource \(resource) is not supported.")
            }
            scope = .service(resource: resource)
        } else {
            guard let services = request.parameter("ss"), let types = request.parameter("srt") else {
                throw .authenticationFailed("Either sr, or ss and srt are mandatory.")
            }
            scope = .account(services: services, resourceTypes: types)
        }
    }

    /// What the holder must have signed for this request; nil when a service SAS cannot cover the resource at all.
    var stringToSign: String? {
        switch scope {
        case .account: accountStringToSign
        case .service(let resource): serviceStringToSign(resource)
        }
    }

    private func value(_ name: String) -> String { request.parameter(name) ?? "" }

    private var accountStringToSign: String {
        var fields = [request.account] + ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"].map(value)
        if version >= AzureVersion.encryptionScopes { fields.append(value("ses")) }
        return fields.joined(separator: "\n") + "\n"
    }

    private func serviceStringToSign(_ resource: String) -> String? {
        guard let container = request.container else { return nil }
        var canonical = "/blob/\(request.account)/\(container)"
        if resource != "c" {
            guard let blob = request.blob else { return nil }
            canonical += "/" + blob.text
        }
        var fields = ["sp", "st", "se"].map(value) + [canonical] + ["si", "sip", "spr", "sv"].map(value)
        if version >= AzureVersion.signedResource {
            fields.append(resource)
            fields.append(resource == "bs" ? value("snapshot") : resource == "bv" ? value("versionid") : "")
        }
        if version >= AzureVersion.encryptionScopes { fields.append(value("ses")) }
        return (fields + ["rscc", "rscd", "rsce", "rscl", "rsct"].map(value)).joined(separator: "\n")
    }

    /// Checks times, protocol and address. The signature has been checked before.
    func checkUse(now: SimTime) throws(AzureError) {
        guard let expiryText = request.parameter("se"), let expiry = SimTime(iso8601: expiryText) else {
            throw .authenticationFailed("Signed expiry time is missing or is no time.")
        }
        if let text = request.parameter("st"), !text.isEmpty {
            guard let start = SimTime(iso8601: text) else {
                throw .authenticationFailed("Signed start time \(text) is no time.")
            }
            guard now >= start else { throw .authenticationFailed(outside(start: text, expiry: expiryText, now)) }
        }
        guard now < expiry else {
            throw .authenticationFailed(outside(start: value("st"), expiry: expiryText, now))
        }
        if let protocols = request.parameter("spr"), !protocols.split(separator: ",").contains("http") {
            throw .protocolMismatch
        }
        if let addresses = request.parameter("sip"), !Self.containsLoopback(addresses) { throw .sourceIPMismatch }
    }

    private func outside(start: String, expiry: String, _ now: SimTime) -> String {
        "Signature not valid in the specified time frame: Start [\(start)] - Expiry [\(expiry)] - Current [\(now.httpDate)]"
    }

    /// Whether `127.0.0.1`, where all clients of the simulator are, is the address or in the range `A-B`.
    private static func containsLoopback(_ range: String) -> Bool {
        let bounds = range.split(separator: "-").map { address in
            let parts = address.split(separator: ".").compactMap { UInt8($0) }
            return parts.count == 4 ? parts.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } : nil
        }
        guard let first = bounds.first, let lower = first, let last = bounds.last, let upper = last else {
            return false
        }
        return (lower...max(lower, upper)).contains(0x7F00_0001)
    }

    /// Whether the signature covers `operation`.
    /// - Parameter isCreation: whether the blob that is written does not exist yet, so that `c` is enough.
    func checkPermission(_ operation: AzureOperation, isCreation: Bool) throws(AzureError) {
        let rights = operation.rights
        if case .account(let services, let types) = scope {
            guard services.contains("b") else { throw .serviceMismatch }
            guard rights.level == .any || types.contains(rights.level.letter) else { throw .resourceTypeMismatch }
        } else if rights.level == .service || (rights.level == .container && operation != .listBlobs) {
            guard rights.permissions.isEmpty else { throw .permissionMismatch }
        }
        guard !rights.permissions.isEmpty else { return }
        let allowed = permissions.contains { letter in
            rights.permissions.contains(letter) && (letter != "c" || isCreation || !rights.permissions.contains("w"))
        }
        guard allowed else { throw .permissionMismatch }
    }

    /// Response headers that the signature overrides, by lower-case name.
    static func overrides(_ request: AzureRequest) throws(AzureError) -> [(name: String, value: String)] {
        guard request.parameter("sig") != nil, request.parameter("sr") != nil else { return [] }
        let names = [
            ("rscc", "cache-control"), ("rscd", "content-disposition"), ("rsce", "content-encoding"),
            ("rscl", "content-language"), ("rsct", "content-type"),
        ]
        var result: [(name: String, value: String)] = []
        for (parameter, header) in names {
            guard let value = request.parameter(parameter), !value.isEmpty else { continue }
            // Decoded from the URL, so a line feed would end the header.
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw .invalidQuery(parameter, "", "It has control characters.")
            }
            result.append((header, value))
        }
        return result
    }
}
