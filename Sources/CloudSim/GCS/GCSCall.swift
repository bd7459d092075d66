import NIOCore
import NIOHTTP1

/// One call, whether it came alone or in a batch.
struct GCSCall {
    let request: Request
    let route: GCSRoute
    let parameters: GCSParameters
    /// `http://host:port`, for links in answers.
    let origin: String
    /// Set by a fault: checksums in resources are not those of the bytes.
    let corruptsChecksums: Bool
    /// The request's exchange, but for calls in a batch.
    let exchange: Exchange?

    init(_ exchange: Exchange, origin: String) {
        request = exchange.request
        route = GCSRoute(exchange.request)
        parameters = GCSParameters(
            exchange.request, ignoresConditions: exchange.ignoresConditions,
            ignoresVersions: exchange.fault(.ignoreVersions) != nil)
        corruptsChecksums = exchange.fault(.wrongChecksum) != nil
        self.origin = origin
        self.exchange = exchange
    }

    init(partOf batch: GCSCall, _ request: Request) {
        self.request = request
        route = GCSRoute(request)
        parameters = GCSParameters(request)
        corruptsChecksums = false
        origin = batch.origin
        exchange = nil
    }

    /// The `fields` parameter.
    func mask() throws -> GCSFieldMask {
        guard let text = parameters["fields"] else { return .all }
        guard let mask = GCSFieldMask(text) else { throw GCSError.invalid("Invalid field selection \(text)") }
        return mask
    }

    /// An object resource as the whole answer.
    func reply(_ object: StoredObject, in bucket: Bucket) throws -> Response {
        var json = JSONBuilder()
        let resource = GCSObjectResource(
            origin: origin, bucket: bucket.name, fields: GCSResourceFields(try mask()))
        resource.append(reported(object), to: &json)
        return Response(json: json.bytes)
    }

    /// The object as it is described: with other checksums when a fault says so.
    func reported(_ object: StoredObject) -> StoredObject {
        guard corruptsChecksums else { return object }
        exchange?.didFire(.wrongChecksum)
        return object.with { attributes in
            attributes.digests.crc32c = attributes.digests.crc32c.map { $0 ^ 1 }
            attributes.digests.md5 = attributes.digests.md5.map { $0.map { $0 ^ 1 } }
        }
    }
}

extension Response {
    init(_ status: HTTPResponseStatus = .ok, json: [UInt8]) {
        self.init(status, contentType: "application/json; charset=UTF-8", bytes: ByteBuffer(bytes: json))
    }

    init(_ status: HTTPResponseStatus = .ok, xml: [UInt8], headers: HTTPHeaders = [:]) {
        self.init(
            status, contentType: "application/xml; charset=UTF-8", headers: headers, bytes: ByteBuffer(bytes: xml))
    }
}

extension GCSError {
    func response(to call: GCSCall) -> Response {
        var response = body(for: call)
        response.status = HTTPResponseStatus(statusCode: status)
        if status == 401 {
            response.headers.add(name: "WWW-Authenticate", value: "Bearer realm=\"https://accounts.google.com/\"")
        }
        return response
    }

    private func body(for call: GCSCall) -> Response {
        if status == 304 { return Response(.notModified) }
        if call.route.api == .xml { return Response(xml: xml) }
        // Reads of media are answered in plain text, also in the JSON API.
        if case .getMedia = call.route.action {
            return Response(.ok, contentType: "text/html; charset=UTF-8", text: message)
        }
        return Response(json: json)
    }
}
