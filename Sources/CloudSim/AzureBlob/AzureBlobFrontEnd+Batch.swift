import NIOCore
import NIOHTTP1

extension AzureBlobFrontEnd {
    private static let maximumBatch = 256
    private static let maximumBatchBytes = 4 << 20

    /// Takes the parts of a batch one by one; each has its own authorization and its own answer.
    func startBatch(_ call: AzureCall) throws {
        guard let type = call.request.header("content-type"), let boundary = AzureBatchBody.boundary(type) else {
            throw AzureError.invalidHeader("Content-Type", call.request.header("content-type") ?? "")
        }
        if call.request.container != nil { _ = try container(call.request) }
        call.exchange.collectBody(limit: Self.maximumBatchBytes) { result in
            self.complete(call) {
                let parts = try AzureBatchBody.parse(try result.get(), boundary: boundary)
                guard (1...Self.maximumBatch).contains(parts.count) else { throw AzureError.invalidInput }
                let reply = "batchresponse_\(call.requestID)"
                var body = ByteBuffer()
                for part in parts {
                    let response = self.answer(part, of: call)
                    AzureBatchBody.append(response, id: part.id, boundary: reply, to: &body)
                }
                body.writeString("--\(reply)--\r\n")
                return Response(.accepted, contentType: "multipart/mixed; boundary=\(reply)", bytes: body)
            }
        }
    }

    private func answer(_ part: AzureBatchBody.Part, of call: AzureCall) -> Response {
        let requestID = services.nextRequestID()
        var response: Response
        do {
            if let rule = call.exchange.fault(.errorIn200) {
                call.exchange.didFire(.errorIn200)
                throw AzureError(
                    rule.status ?? 500, rule.code ?? "OperationTimedOut",
                    rule.message ?? "Operation could not be completed within the specified time.")
            }
            // The parts have no version of their own: the batch's counts.
            var headers = part.headers
            if !headers.contains(where: { $0.name.lowercased() == "x-ms-version" }) {
                headers.append(("x-ms-version", call.request.version))
            }
            let request = try AzureRequest(
                method: part.method, target: part.target, headers: headers, batchAccount: call.request.account)
            let operation = try AzureOperation(request)
            if let container = call.request.container, request.container != container { throw AzureError.invalidInput }
            try authorizePart(part, request, operation, of: call)
            switch operation {
            case .deleteBlob: response = try deleteBlob(request)
            case .setBlobTier: response = try setTier(request)
            default: throw AzureError.invalidInput
            }
            response.headers.add(name: "x-ms-request-id", value: requestID)
            response.headers.add(name: "x-ms-version", value: request.version)
        } catch {
            response = errorResponse(error, requestID: requestID, isHead: false)
        }
        return response
    }

    /// The signature of a part covers the headers that it has, not the version it takes from the batch.
    private func authorizePart(
        _ part: AzureBatchBody.Part, _ request: AzureRequest, _ operation: AzureOperation, of call: AzureCall
    ) throws {
        let signed = try AzureRequest(
            method: part.method, target: part.target, headers: part.headers, batchAccount: call.request.account)
        try authorize(signed, operation, isPart: true)
    }
}
