import NIOHTTP1

/// The S3 API: answers 501 to everything it does not know.
final class S3FrontEnd: FrontEnd {
    let services: SimServices

    init(_ services: SimServices) {
        self.services = services
    }

    var cloud: Cloud { services.cloud }
    var standingDigests: DigestSet { [.crc32c] }

    func classify(_ request: Request) -> RequestTarget {
        RequestTarget("Unknown", .other)
    }

    func handle(_ exchange: Exchange) {
        exchange.respond(Response(.notImplemented))
    }

    func errorResponse(_ error: FaultError, _ exchange: Exchange) -> Response {
        guard case .status(let status, _, _) = error else { return Response(.serviceUnavailable) }
        return Response(HTTPResponseStatus(statusCode: status))
    }

    func etag(for digests: BodyDigests) -> String {
        "\"\(services.storage.nextGeneration())\""
    }
}
