import NIOHTTP1

extension AzureBlobFrontEnd {
    /// Acquire, renew, change, release and break; breaking is immediate.
    func leaseBlob(_ request: AzureRequest) throws -> Response {
        let bucket = try container(request)
        let blob = try blob(request)
        let state = state(of: bucket)
        let now = services.clock.now
        let current = state.lease(on: blob.name, now: now)
        var response = Response(.ok, headers: Self.validators(of: blob))
        switch request.header("x-ms-lease-action")?.lowercased() {
        case "acquire":
            let id = request.header("x-ms-proposed-lease-id") ?? randomUUID()
            if let current, current.id != id { throw AzureError.leaseAlreadyPresent }
            let lease = try AzureLease(id: id, duration: request.header("x-ms-lease-duration"), now: now)
            state.setLease(lease, on: blob.name)
            response.status = .created
            response.headers.add(name: "x-ms-lease-id", value: id)
        case "renew":
            var lease = try Self.named(request, current)
            lease.renew(now: now)
            state.setLease(lease, on: blob.name)
            response.headers.add(name: "x-ms-lease-id", value: lease.id)
        case "change":
            var lease = try Self.named(request, current)
            guard let id = request.header("x-ms-proposed-lease-id") else {
                throw AzureError.missingHeader("x-ms-proposed-lease-id")
            }
            lease.id = id
            state.setLease(lease, on: blob.name)
            response.headers.add(name: "x-ms-lease-id", value: id)
        case "release":
            _ = try Self.named(request, current)
            state.setLease(nil, on: blob.name)
        case "break":
            guard current != nil else { throw AzureError.leaseNotPresent }
            state.setLease(nil, on: blob.name)
            response.status = .accepted
            response.headers.add(name: "x-ms-lease-time", value: "0")
        case let action:
            throw AzureError.invalidHeader("x-ms-lease-action", action ?? "")
        }
        return response
    }

    private static func named(_ request: AzureRequest, _ lease: AzureLease?) throws(AzureError) -> AzureLease {
        guard let id = request.header("x-ms-lease-id") else { throw .missingHeader("x-ms-lease-id") }
        guard let lease else { throw .leaseNotPresent }
        guard lease.id == id else { throw .leaseMismatch }
        return lease
    }

    func checkLease(_ conditions: AzureConditions, on name: ObjectName, in bucket: Bucket) throws(AzureError) {
        try conditions.checkLease(state(of: bucket).lease(on: name, now: services.clock.now))
    }
}
