package import ObjectStores

/// The pages of the daemon: whether it lives, whether it is ready, metrics, and how the pairs are for people and programs.
package struct ServicePages: Sendable {
    private let supervisor: Supervisor
    private let records: PairRecordStore
    private let facts: @Sendable () -> ServiceFacts
    private let time: any Timekeeper
    private let host: String

    package init(
        supervisor: Supervisor, records: PairRecordStore, time: any Timekeeper, host: String,
        facts: @escaping @Sendable () -> ServiceFacts
    ) {
        self.supervisor = supervisor
        self.records = records
        self.facts = facts
        self.time = time
        self.host = host
    }

    package func page(_ path: String) -> Page {
        let now = time.nowSeconds()
        switch path {
        case "/livez":
            return supervisor.isAlive
                ? .text(200, "alive") : .text(503, "the supervisor has not turned for half a minute")
        case "/readyz": return ready()
        case "/metrics":
            var text = PrometheusText()
            PairMetrics.write(supervisor.pairs.map(\.status), at: now, to: &text)
            ServiceMetrics.write(facts(), to: &text)
            return Page(200, PrometheusText.contentType, text.text)
        case "/":
            let html = StatusPage.html(
                supervisor.pairs, facts: facts(), host: host, isDraining: supervisor.isDraining, now: now,
                monotonic: time.monotonic())
            return Page(200, "text/html; charset=utf-8", html)
        case "/api/pairs":
            do {
                let text = try StatusJSON.text(
                    supervisor.pairs, facts: facts(), host: host, isDraining: supervisor.isDraining, now: now)
                return Page(200, "application/json", text)
            } catch {
                return .text(500, "\(error)")
            }
        default: return .text(404, "there are /, /api/pairs, /metrics, /livez and /readyz")
        }
    }

    private func ready() -> Page {
        if supervisor.isDraining { return .text(503, "draining") }
        guard supervisor.isConfigured else { return .text(503, "not configured yet") }
        do throws(RecordError) { try records.probe() } catch { return .text(503, "\(error)") }
        return .text(200, "ready")
    }
}
