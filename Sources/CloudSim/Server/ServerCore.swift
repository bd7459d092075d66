import NIOCore

/// Everything the connections share. Confined to the one event loop, but for `faults` and `counters`.
///
/// `@unchecked Sendable`: handed to the loop once, before any port is bound; afterwards only the loop touches it.
final class ServerCore: @unchecked Sendable {
    /// A listening port and whom it speaks for; the control port has no front end.
    final class Port: @unchecked Sendable {
        let frontEnd: (any FrontEnd)?
        let services: SimServices?

        init(frontEnd: (any FrontEnd)?, services: SimServices?) {
            self.frontEnd = frontEnd
            self.services = services
        }
    }

    let clock = SimClock()
    let faults: FaultPlan
    let counters = RequestCounters()
    let requestFaults = RequestFaults()
    let controlServices: SimServices
    let ports: [Cloud: Port]
    let controlPort = Port(frontEnd: nil, services: nil)
    private(set) var control: ControlEndpoint!

    init(_ configuration: SimConfiguration) throws {
        faults = FaultPlan(configuration.faults)
        var memoryOnly = configuration
        memoryOnly.dataDirectory = nil
        controlServices = try SimServices(cloud: .s3, configuration: memoryOnly, clock: clock, faults: faults)
        var ports: [Cloud: Port] = [:]
        for cloud in Cloud.allCases {
            let services = try SimServices(cloud: cloud, configuration: configuration, clock: clock, faults: faults)
            ports[cloud] = Port(frontEnd: makeFrontEnd(services), services: services)
        }
        self.ports = ports
        control = ControlEndpoint(self)
    }

    func close() {
        for port in ports.values { port.services?.storage.close() }
    }
}

/// The front end of each cloud.
private func makeFrontEnd(_ services: SimServices) -> any FrontEnd {
    switch services.cloud {
    case .s3: S3FrontEnd(services)
    case .gcs: GCSFrontEnd(services)
    case .azure: AzureBlobFrontEnd(services)
    }
}
