import NIOCore
import NIOHTTP1

// Names.
extension AzureBlobFrontEnd {
    /// Containers of the first account keep their name in the storage; those of others are `ACCOUNT/CONTAINER`.
    func storageName(_ account: String, _ container: String) -> String {
        account == services.configuration.azure.account ? container : "\(account)/\(container)"
    }

    func container(_ request: AzureRequest) throws(AzureError) -> Bucket {
        guard let name = request.container else { throw .invalidURI }
        guard let bucket = services.storage.bucket(storageName(request.account, name)) else {
            try AzureNames.checkContainer(name)
            throw .containerNotFound
        }
        return bucket
    }

    func newETag() -> String {
        "\"0x8\(String(services.storage.nextGeneration(), radix: 16, uppercase: true))\""
    }
}

// Containers.
extension AzureBlobFrontEnd {
    private static let metadataPrefix = "meta."

    func createContainer(_ request: AzureRequest) throws -> Response {
        let name = request.container ?? ""
        try AzureNames.checkContainer(name)
        try AzureNames.checkMetadata(request.metadata)
        let storageName = storageName(request.account, name)
        guard services.storage.bucket(storageName) == nil else { throw AzureError.containerExists }
        let bucket = try services.storage.createBucket(storageName, region: "")
        try setMetadata(request.metadata, of: bucket)
        return Response(.created, headers: validators(of: bucket))
    }

    func containerProperties(_ request: AzureRequest, _ operation: AzureOperation) throws -> Response {
        let bucket = try container(request)
        var response = Response(.ok, headers: validators(of: bucket))
        if operation == .getContainerACL {
            var xml = AzureXML()
            xml.element("SignedIdentifiers", "")
            response.headers.add(name: "Content-Type", value: "application/xml")
            response.body = Body(bytes: xml.bytes)
            return response
        }
        for item in containerMetadata(bucket) {
            response.headers.add(name: "x-ms-meta-\(item.name)", value: item.value)
        }
        response.headers.add(name: "x-ms-lease-status", value: "unlocked")
        response.headers.add(name: "x-ms-lease-state", value: "available")
        response.headers.add(name: "x-ms-has-immutability-policy", value: "false")
        response.headers.add(name: "x-ms-has-legal-hold", value: "false")
        response.headers.add(name: "x-ms-default-encryption-scope", value: "$account-encryption-key")
        response.headers.add(name: "x-ms-deny-encryption-scope-override", value: "false")
        return response
    }

    func setContainerMetadata(_ request: AzureRequest) throws -> Response {
        let bucket = try container(request)
        try AzureNames.checkMetadata(request.metadata)
        try setMetadata(request.metadata, of: bucket)
        return Response(.ok, headers: validators(of: bucket))
    }

    func deleteContainer(_ request: AzureRequest) throws -> Response {
        let bucket = try container(request)
        forget(bucket)
        services.storage.deleteBucket(bucket.name)
        return Response(.accepted)
    }

    private func setMetadata(_ metadata: [MetadataItem], of bucket: Bucket) throws {
        let (etag, now) = (newETag(), services.clock.now)
        try bucket.setProperties { properties in
            properties.extras = properties.extras.filter { !$0.key.hasPrefix(Self.metadataPrefix) }
            for item in metadata { properties.extras[Self.metadataPrefix + item.name] = item.value }
            properties.extras["etag"] = etag
            properties.extras["modified"] = String(now.nanoseconds)
        }
    }

    private func containerMetadata(_ bucket: Bucket) -> [MetadataItem] {
        bucket.properties.extras.compactMap { key, value in
            key.hasPrefix(Self.metadataPrefix)
                ? MetadataItem(String(key.dropFirst(Self.metadataPrefix.count)), value) : nil
        }.sorted { $0.name < $1.name }
    }

    /// Containers made without a request have neither; they fall back to the time they were made.
    private func containerETag(_ bucket: Bucket) -> String {
        bucket.properties.extras["etag"]
            ?? "\"0x8\(String(bucket.properties.created.nanoseconds / 1_000, radix: 16, uppercase: true))\""
    }

    private func containerModified(_ bucket: Bucket) -> SimTime {
        bucket.properties.extras["modified"].flatMap { Int64($0) }.map { SimTime(nanoseconds: $0) }
            ?? bucket.properties.created
    }

    private func validators(of bucket: Bucket) -> HTTPHeaders {
        ["ETag": containerETag(bucket), "Last-Modified": containerModified(bucket).httpDate]
    }
}

// The service.
extension AzureBlobFrontEnd {
    static let maximumListed = 5_000

    func listContainers(_ request: AzureRequest) throws -> Response {
        let limit = try Self.listLimit(request)
        let prefix = request.parameter("prefix") ?? ""
        let marker = request.parameter("marker") ?? ""
        let includesMetadata = (request.parameter("include") ?? "").split(separator: ",").contains("metadata")
        let isMain = request.account == services.configuration.azure.account
        let accountPrefix = isMain ? "" : request.account + "/"

        var xml = AzureXML(capacity: 16 << 10)
        xml.append(markup: "<EnumerationResults ServiceEndpoint=\"\(services.endpoint)/\(request.account)/\">")
        xml.element("Prefix", prefix)
        xml.element("Marker", marker)
        xml.element("MaxResults", limit)
        xml.open("Containers")
        var count = 0
        var next = ""
        for bucket in services.storage.sortedBuckets {
            guard bucket.name.hasPrefix(accountPrefix) else { continue }
            let name = String(bucket.name.dropFirst(accountPrefix.count))
            guard !name.contains("/"), name.hasPrefix(prefix), name >= marker else { continue }
            guard count < limit else {
                next = name
                break
            }
            append(bucket, named: name, withMetadata: includesMetadata, to: &xml)
            count += 1
        }
        xml.close("Containers")
        xml.element("NextMarker", next)
        xml.close("EnumerationResults")
        return Response(.ok, contentType: "application/xml", bytes: ByteBuffer(bytes: xml.bytes))
    }

    /// `maxresults`: positive; above 5,000 means 5,000.
    static func listLimit(_ request: AzureRequest) throws(AzureError) -> Int {
        guard let text = request.parameter("maxresults"), !text.isEmpty else { return maximumListed }
        guard let limit = Int(text) else { throw .invalidQuery("maxresults", text, "It is no number.") }
        guard limit > 0 else { throw .outOfRangeQuery("maxresults", text) }
        return min(limit, maximumListed)
    }

    private func append(_ bucket: Bucket, named name: String, withMetadata: Bool, to xml: inout AzureXML) {
        xml.open("Container")
        xml.element("Name", name)
        xml.open("Properties")
        xml.element("Last-Modified", containerModified(bucket).httpDate)
        xml.element("Etag", containerETag(bucket))
        xml.element("LeaseStatus", "unlocked")
        xml.element("LeaseState", "available")
        xml.element("DefaultEncryptionScope", "$account-encryption-key")
        xml.element("DenyEncryptionScopeOverride", "false")
        xml.element("HasImmutabilityPolicy", "false")
        xml.element("HasLegalHold", "false")
        xml.close("Properties")
        if withMetadata {
            xml.open("Metadata")
            for item in containerMetadata(bucket) { xml.element(item.name, item.value) }
            xml.close("Metadata")
        }
        xml.close("Container")
    }

    func accountInformation() -> Response {
        Response(
            .ok,
            headers: [
                "x-ms-sku-name": "Standard_LRS", "x-ms-account-kind": "StorageV2", "x-ms-is-hns-enabled": "false",
            ])
    }

    func serviceProperties() -> Response {
        var xml = AzureXML()
        xml.open("StorageServiceProperties")
        xml.append(
            markup: "<Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>false</Write>"
                + "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>")
        for kind in ["HourMetrics", "MinuteMetrics"] {
            xml.append(
                markup: "<\(kind)><Version>1.0</Version><Enabled>false</Enabled>"
                    + "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></\(kind)>")
        }
        xml.append(
            markup: "<Cors /><DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>"
                + "<StaticWebsite><Enabled>false</Enabled></StaticWebsite>")
        xml.close("StorageServiceProperties")
        return Response(.ok, contentType: "application/xml", bytes: ByteBuffer(bytes: xml.bytes))
    }
}
