/// Columns that line up.
struct TextTable {
    private var rows: [[String]]
    private let right: Set<Int>

    /// - Parameter right: the columns that are numbers.
    init(_ head: [String], right: Set<Int>) {
        rows = [head]
        self.right = right
    }

    mutating func add(_ row: [String]) {
        precondition(row.count == rows[0].count, "a row has a field for each column")
        rows.append(row)
    }

    var lines: [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max()! }
        return rows.map { row in
            var line = ""
            for (column, text) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - text.count)
                if column > 0 { line += "  " }
                line += right.contains(column) ? padding + text : column == row.count - 1 ? text : text + padding
            }
            return line
        }
    }
}
