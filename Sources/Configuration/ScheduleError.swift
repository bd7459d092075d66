/// Why a schedule is none: which field, what is wrong with it, and what to write instead.
package struct ScheduleError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String

    init(_ description: String) {
        self.description = description
    }
}
