import NIOCore
import NIOHTTP1

/// What happens to a request before its front end sees it.
enum Admission {
    case handle
    /// Answer without handling.
    case answer(Response)
}

/// Faults that act on a request's head. Confined to the event loop.
final class RequestFaults {
    /// Prefixes that rate limits remember; beyond it all new prefixes share one bucket.
    private static let maximumPrefixes = 10_000

    private struct Allowance {
        var tokens: Double
        var updated: NIODeadline
    }

    private var allowances: [String: Allowance] = [:]

    /// The request without the headers that its faults remove.
    func rewritten(_ request: Request, _ faults: [ActiveFault], _ plan: FaultPlan) -> Request {
        var request = request
        for fault in faults {
            switch fault.rule.action {
            case .ignoreConditions:
                let names = request.headers.map(\.name).filter { name in
                    let lower = name.lowercased()
                    return lower.hasPrefix("if-") || lower.hasPrefix("x-amz-copy-source-if-")
                        || lower.hasPrefix("x-ms-source-if-")
                }
                for name in names { request.headers.remove(name: name) }
            case .ignoreVersions: request.headers.remove(name: "If-Match")
            case .ignoreRange:
                guard request.headers.contains(name: "Range") || request.headers.contains(name: "x-ms-range") else {
                    continue
                }
                request.headers.remove(name: "Range")
                request.headers.remove(name: "x-ms-range")
                plan.didFire(fault)
            case .believeChecksums:
                request.believesChecksums = true
                plan.didFire(fault)
                // S3 compares them where it needs them; the other clouds only when they are there.
                for name in ["content-md5", "x-ms-content-crc64", "x-ms-blob-content-md5", "x-goog-hash"]
                where request.headers.contains(name: name) {
                    request.headers.remove(name: name)
                }
            default: break
            }
        }
        return request
    }

    func admit(_ exchange: Exchange, _ frontEnd: any FrontEnd, _ services: SimServices) -> Admission {
        for fault in exchange.faults {
            let rule = fault.rule
            switch rule.action {
            case .status:
                var response = frontEnd.errorResponse(
                    .status(rule.status ?? 500, code: rule.code, message: rule.message), exchange)
                if let retryAfter = rule.retryAfter { response.headers.add(name: "Retry-After", value: retryAfter) }
                return .answer(response)
            case .errorIn200:
                // Batch deletes fail per key, which only the front end can phrase.
                guard exchange.target.kind == .commit else { continue }
                var response = frontEnd.errorResponse(
                    .status(rule.status ?? 500, code: rule.code, message: rule.message), exchange)
                response.status = .ok
                return .answer(response)
            case .expireCredentials:
                return .answer(frontEnd.errorResponse(.expiredCredentials, exchange))
            case .clockSkew:
                var response = frontEnd.errorResponse(.clockSkewed, exchange)
                let shifted = SimTime(
                    nanoseconds: services.clock.now.nanoseconds + Int64(rule.seconds ?? 3_600) * 1_000_000_000)
                response.headers.replaceOrAdd(name: "Date", value: shifted.httpDate)
                return .answer(response)
            case .redirectTo:
                let location = (rule.location ?? services.endpoint) + exchange.request.uri
                let status = HTTPResponseStatus(statusCode: rule.status ?? 307)
                return .answer(Response(status, headers: ["Location": location]))
            case .noPartCopy:
                return .answer(frontEnd.errorResponse(.notImplemented, exchange))
            case .rateLimit:
                guard !allows(fault, exchange.target) else { continue }
                services.faults.didFire(fault)
                var response = frontEnd.errorResponse(.slowDown, exchange)
                if let retryAfter = rule.retryAfter { response.headers.add(name: "Retry-After", value: retryAfter) }
                return .answer(response)
            case .replaceObjectBetweenRanges, .deleteObjectBetweenRanges:
                do {
                    if try disturb(fault, exchange.target, frontEnd, services) { services.faults.didFire(fault) }
                } catch {
                    return .answer(frontEnd.errorResponse(.status(500, code: nil, message: "\(error)"), exchange))
                }
            default:
                continue
            }
        }
        return .handle
    }

    /// A token bucket per prefix that holds one second's worth.
    private func allows(_ fault: ActiveFault, _ target: RequestTarget) -> Bool {
        let rate = fault.rule.requestsPerSecond ?? 1
        let key = target.key?.bytes ?? []
        let prefix = key.lastIndex(of: UInt8(ascii: "/")).map { Array(key[...$0]) } ?? []
        var name = "\(fault.id) \(target.bucket ?? "") " + String(decoding: prefix, as: UTF8.self)
        if allowances[name] == nil && allowances.count >= Self.maximumPrefixes { name = "\(fault.id) other" }
        let now = NIODeadline.now()
        var allowance = allowances[name] ?? Allowance(tokens: max(1, rate), updated: now)
        let elapsed = Double((now - allowance.updated).nanoseconds) / 1e9
        allowance.tokens = min(max(1, rate), allowance.tokens + elapsed * rate)
        allowance.updated = now
        let isAllowed = allowance.tokens >= 1
        if isAllowed { allowance.tokens -= 1 }
        allowances[name] = allowance
        return isAllowed
    }

    /// Replaces or deletes the object that is about to be read. Returns false when there is none.
    private func disturb(
        _ fault: ActiveFault, _ target: RequestTarget, _ frontEnd: any FrontEnd, _ services: SimServices
    ) throws -> Bool {
        guard let bucket = target.bucket.flatMap(services.storage.bucket), let name = target.key,
            let object = bucket.object(name)
        else { return false }
        if fault.rule.action == .deleteObjectBetweenRanges {
            bucket.remove(name)
        } else {
            try ObjectMaker(services: services, frontEnd: frontEnd).replace(object, in: bucket, seed: fault.random)
        }
        return true
    }
}
