import Digests
import NIOHTTP1

/// The Azure Blob service, path style: `http://127.0.0.1:PORT/ACCOUNT/CONTAINER/BLOB`.
///
/// Blobs are objects of the storage; what only this cloud has (uncommitted blocks, snapshots) is kept here, in memory.
package final class AzureBlobFrontEnd: FrontEnd {
    package let cloud = Cloud.azure

    let services: SimServices
    /// Account keys, decoded, by account name.
    let keys: [String: [UInt8]]
    private var containerStates: [String: AzureContainerState] = [:]

    /// - Precondition: the account keys of the configuration are base64.
    package init(_ services: SimServices) {
        self.services = services
        let credentials = services.configuration.azure
        let accounts = credentials.otherAccounts.merging([credentials.account: credentials.key]) { _, own in own }
        keys = accounts.mapValues { text in
            guard let key = Base64.decode(text) else { preconditionFailure("account keys are base64") }
            return key
        }
    }

    package func classify(_ request: Request) -> RequestTarget {
        let deciding = ["x-ms-copy-source", "x-ms-blob-type", "x-ms-requires-sync"]
        let headers = deciding.compactMap { name in request.headers.first(name: name).map { (name: name, value: $0) } }
        do {
            let parsed = try AzureRequest(method: request.method, target: request.uri, headers: headers)
            let operation = try AzureOperation(parsed)
            return RequestTarget(
                operation.rawValue, operation.kind, bucket: parsed.container.map { storageName(parsed.account, $0) },
                key: parsed.blob)
        } catch {
            return RequestTarget("Unknown", .other)
        }
    }

    package func handle(_ exchange: Exchange) {
        let requestID = services.nextRequestID()
        let request: AzureRequest
        do {
            request = try Self.parse(exchange.request, exchange.request.headers)
        } catch {
            exchange.respond(errorResponse(error, requestID: requestID, isHead: exchange.request.method == "HEAD"))
            return
        }
        let call = AzureCall(exchange: exchange, request: request, requestID: requestID)
        do {
            try start(call)
        } catch {
            fail(call, error)
        }
    }

    private static func parse(_ request: Request, _ headers: HTTPHeaders) throws(AzureError) -> AzureRequest {
        try AzureRequest(
            method: request.method, target: request.uri, headers: headers.lazy.map { (name: $0.name, value: $0.value) })
    }

    /// Checks who asks, then does what needs no body, or begins to take the body.
    private func start(_ call: AzureCall) throws {
        let operation = try AzureOperation(call.request)
        let received = call.exchange.request
        // A fault may have taken headers away that the signature covers.
        let signed = call.exchange.faults.isEmpty ? call.request : try Self.parse(received, received.receivedHeaders)
        try authorize(signed, operation)
        switch operation {
        case .putBlob: try startPutBlob(call)
        case .putBlock: try startPutBlock(call)
        case .putBlockList: try startPutBlockList(call)
        case .setBlobTags: try startSetTags(call)
        case .batch: try startBatch(call)
        default: finish(call, try perform(call, operation))
        }
    }

    /// Every operation that needs no request body.
    private func perform(_ call: AzureCall, _ operation: AzureOperation) throws -> Response {
        let request = call.request
        return switch operation {
        case .listContainers: try listContainers(request)
        case .getServiceProperties: serviceProperties()
        case .getAccountInformation: accountInformation()
        case .createContainer: try createContainer(request)
        case .getContainerProperties, .getContainerACL: try containerProperties(request, operation)
        case .setContainerMetadata: try setContainerMetadata(request)
        case .deleteContainer: try deleteContainer(request)
        case .listBlobs: try listBlobs(call)
        case .getBlob: try getBlob(request)
        case .getBlobProperties: try getBlobProperties(request)
        case .getBlockList: try getBlockList(request)
        case .getBlobTags: try getTags(request)
        case .deleteBlob: try deleteBlob(request)
        case .setBlobMetadata: try setMetadata(request)
        case .setBlobProperties: try setProperties(request)
        case .setBlobTier: try setTier(request)
        case .snapshotBlob: try snapshot(request)
        case .leaseBlob: try leaseBlob(request)
        case .copyBlob, .copyBlobFromURL: try copyBlob(request, isSynchronous: operation == .copyBlobFromURL)
        case .putBlobFromURL: try putBlobFromURL(request)
        case .putBlockFromURL: try putBlockFromURL(request)
        // Copies end before they are answered, so none is ever pending.
        case .abortCopyBlob: throw AzureError.noPendingCopy
        case .putBlob, .putBlock, .putBlockList, .setBlobTags, .batch:
            preconditionFailure("operations with a body are started, not performed")
        }
    }

    /// What only this cloud knows of a container; made when it is first needed.
    func state(of container: Bucket) -> AzureContainerState {
        if let known = containerStates[container.name], known.container === container { return known }
        let made = AzureContainerState(container: container)
        containerStates[container.name] = made
        return made
    }

    func forget(_ container: Bucket) {
        containerStates[container.name] = nil
    }
}

/// A request on its way to its answer.
struct AzureCall {
    let exchange: Exchange
    let request: AzureRequest
    let requestID: String
}

// Answers.
extension AzureBlobFrontEnd {
    /// Sends `response` with the headers that all answers have.
    func finish(_ call: AzureCall, _ response: Response) {
        var response = response
        response.headers.add(name: "x-ms-request-id", value: call.requestID)
        response.headers.add(name: "x-ms-version", value: call.request.version)
        if let id = call.request.header("x-ms-client-request-id") {
            response.headers.add(name: "x-ms-client-request-id", value: id)
        }
        if call.request.method == "HEAD" {
            response.declaredLength = response.declaredLength ?? response.body.count
            response.body = Body()
        }
        call.exchange.respond(response)
    }

    func fail(_ call: AzureCall, _ error: any Error) {
        let isHead = call.request.method == "HEAD"
        finish(call, errorResponse(error, requestID: call.requestID, isHead: isHead, isFinal: false))
    }

    /// Runs what follows the body and sends its answer, or its error.
    func complete(_ call: AzureCall, _ work: () throws -> Response) {
        do {
            finish(call, try work())
        } catch {
            fail(call, error)
        }
    }

    /// - Parameter isFinal: whether the headers that `finish` adds are needed here.
    func errorResponse(_ error: any Error, requestID: String, isHead: Bool, isFinal: Bool = true) -> Response {
        let refused: AzureError
        switch error {
        case let error as AzureError: refused = error
        case BodyError.tooLarge: refused = .requestBodyTooLarge
        case BodyError.connectionClosed:
            refused = AzureError(400, "IncompleteBody", "The connection closed before the body had arrived.")
        default: refused = AzureError(500, "InternalError", "The server encountered an internal error: \(error)")
        }
        var response = Response(HTTPResponseStatus(statusCode: refused.status))
        response.headers.add(name: "x-ms-error-code", value: refused.code)
        for header in refused.headers { response.headers.add(name: header.name, value: header.value) }
        if isFinal {
            response.headers.add(name: "x-ms-request-id", value: requestID)
            response.headers.add(name: "x-ms-version", value: AzureVersion.newest)
        }
        if !isHead && refused.status != 304 {
            response.headers.add(name: "Content-Type", value: "application/xml")
            response.body = Body(bytes: refused.body(requestID: requestID, time: services.clock.now))
        }
        return response
    }
}
