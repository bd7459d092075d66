/// What a configuration asks of the daemon.
package struct ServiceSetup: Sendable {
    /// What people and metrics are told of a pair.
    package struct Place: Sendable, Hashable {
        package var source: String
        package var target: String
        /// Both, with what else tells places apart that have one name. What is known of a pair is of these.
        package var identity: String
        /// Bytes that a run may hold in buffers.
        package var memory: Int

        /// Of a pair that nobody knows any more.
        static let unknown = Place(source: "", target: "", identity: "", memory: 0)

        package init(source: String, target: String, identity: String, memory: Int) {
            self.source = source
            self.target = target
            self.identity = identity
            self.memory = memory
        }
    }

    package var plans: [PairPlan]
    package var places: [String: Place]
    /// Runs over listings and checks at once.
    package var parallel: Int
    package var runner: any PairRunner
    package var events: [EventSource]

    package init(
        plans: [PairPlan], places: [String: Place], parallel: Int, runner: any PairRunner, events: [EventSource]
    ) {
        self.plans = plans
        self.places = places
        self.parallel = parallel
        self.runner = runner
        self.events = events
    }
}
