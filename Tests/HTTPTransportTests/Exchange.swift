import Buffers
import HTTPTransport
import Testing

/// One request on a transport of its own, from `HTTPTransport`'s side.
func send(
    _ request: HTTPRequest, into sink: HTTPSink = .collect(limit: 1 << 20), over transport: CurlTransport = .single()
) async -> Result<HTTPResponse, HTTPFailure> {
    do throws(HTTPFailure) {
        return .success(try await transport.send(request, into: sink))
    } catch {
        return .failure(error)
    }
}

/// The failure of a request that must fail.
func failure(
    _ request: HTTPRequest, into sink: HTTPSink = .collect(limit: 1 << 20), over transport: CurlTransport = .single(),
    sourceLocation: SourceLocation = #_sourceLocation
) async throws -> HTTPFailure {
    switch await send(request, into: sink, over: transport) {
    case .success(let response):
        Issue.record("status \(response.status) instead of a failure", sourceLocation: sourceLocation)
        throw UnexpectedReply()
    case .failure(let failure):
        return failure
    }
}

struct UnexpectedReply: Error {}

extension CurlTransport {
    /// One loop, so that connections are shared by all requests.
    static func single(caFile: String? = nil) -> CurlTransport {
        var configuration = CurlConfiguration()
        configuration.loops = 1
        if let caFile { configuration.caFile = caFile }
        return CurlTransport(configuration)
    }
}

/// Bytes that differ from place to place, the same for the same seed.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
        for index in 0..<count {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            bytes[index] = UInt8(truncatingIfNeeded: state >> 32)
        }
        initialized = count
    }
}

func pooled(_ bytes: [UInt8], in pool: BufferPool) async throws -> BufferSlice {
    let buffer = try await pool.acquire(max(bytes.count, 1))
    buffer.base.copyMemory(from: bytes, byteCount: bytes.count)
    return buffer.slice(bytes.count)
}
