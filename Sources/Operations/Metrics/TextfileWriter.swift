/// Writes a pair's metrics into the directory from which node_exporter reads, so that runs from cron are watched as a daemon is.
package struct TextfileWriter: Sendable {
    private let directory: String

    package init(directory: String) {
        self.directory = directory
    }

    /// The pair's own file and no other: `lockstep_PAIR.prom`, readable by all, replaced at once.
    package func write(_ record: PairRecord, at now: Int64) throws(RecordError) {
        var page = PrometheusText()
        PairMetrics.write([PairStatus(record: record)], at: now, to: &page)
        let path = "\(directory)/lockstep_\(WholeFile.name(for: record.pair)).prom"
        try WholeFile.replace(path, with: Array(page.text.utf8), mode: 0o644, isDurable: false)
    }
}
