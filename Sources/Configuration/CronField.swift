/// One of the five fields of a cron line: its range, its names, and how its text becomes a set of numbers.
struct CronField {
    let name: String
    let range: ClosedRange<Int>
    /// Names of the numbers from the lowest on, in lower case.
    var names: [String] = []
    /// Days of the week may be written 7 for Sunday, the last of a range.
    var alias: (number: Int, means: Int)?

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let dayOfMonth = CronField(name: "day of month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    static let weekday = CronField(
        name: "day of week", range: 0...6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
        alias: (number: 7, means: 0))

    /// The set of numbers of `*`, `5`, `1-5`, `*/15`, `0-30/10`, `mon-fri` and lists of these, as bits.
    func parse(_ text: Substring) throws(ScheduleError) -> UInt64 {
        var bits: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) { bits |= try parse(item: item) }
        return bits
    }

    private func parse(item: Substring) throws(ScheduleError) -> UInt64 {
        let halves = item.split(separator: "/", omittingEmptySubsequences: false)
        guard let span = halves.first, !span.isEmpty, halves.count <= 2 else {
            throw fault(item, "it should be a number, a range or *")
        }
        let (low, high) = try bounds(span, isStepped: halves.count == 2)
        var step = 1
        if halves.count == 2 {
            guard let number = Int(halves[1]), number >= 1 else {
                throw fault(item, "after / there should be a number from 1 on")
            }
            guard number <= range.count else {
                throw fault(item, "the step is longer than the field; `every:` takes any length")
            }
            step = number
        }
        var bits: UInt64 = 0
        for number in stride(from: low, through: high, by: step) {
            bits |= 1 << UInt64(number == alias?.number ? alias!.means : number)
        }
        return bits
    }

    private func bounds(_ span: Substring, isStepped: Bool) throws(ScheduleError) -> (Int, Int) {
        if span == "*" { return (range.lowerBound, range.upperBound) }
        let ends = span.split(separator: "-", omittingEmptySubsequences: false)
        let low = try number(ends[0])
        guard ends.count == 2 else {
            guard ends.count == 1 else { throw fault(span, "a range has two ends") }
            guard !isStepped else {
                throw fault(span, "a step needs a range: \(low)-\(range.upperBound)/…")
            }
            return (low, low)
        }
        var high = try number(ends[1])
        // sat-sun is a weekend, although Sunday is also the first day.
        if let alias, high == alias.means, low > high { high = alias.number }
        guard low <= high else {
            throw fault(span, "the range ends before it begins: write two, separated by a comma")
        }
        return (low, high)
    }

    private func number(_ text: Substring) throws(ScheduleError) -> Int {
        if let index = names.firstIndex(of: text.lowercased()) { return range.lowerBound + index }
        guard let number = Int(text), text.allSatisfy(\.isNumber) else {
            let example = names.first.map { " or a name (\($0))" } ?? ""
            throw fault(text, "it should be a number from \(range.lowerBound) to \(range.upperBound)\(example)")
        }
        guard range.contains(number) || number == alias?.number else {
            throw fault(text, "numbers go from \(range.lowerBound) to \(alias?.number ?? range.upperBound)")
        }
        return number
    }

    private func fault(_ text: Substring, _ reason: String) -> ScheduleError {
        ScheduleError("\(name) '\(text.prefix(40))': \(reason)")
    }
}
