import ArgumentParser
import Buffers
import Foundation
import ObjectStores
import ReplicationModel

/// `lockstep cat OBJECT`: the bytes of one object, or of a range of it.
struct CatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat",
        abstract: "Writes an object's bytes to standard output.",
        discussion: """
            All bytes come from one version: if the object is replaced in between, the command fails.

            EXAMPLES
              lockstep cat s3://models/config.json
              lockstep cat gs://models/model.safetensors --range 0-7 | xxd
              lockstep cat vault+s3://backups/models/config.json --snapshot latest
            """)

    @Argument(help: "The object, e.g. s3://bucket/key.")
    var object: String
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "First and last byte, both included; A- reads to the end, -N the last N bytes.", valueName: "A-B"))
    var range: RangeArgument?
    @OptionGroup var endpoint: EndpointOptions
    @OptionGroup var snapshot: SnapshotOptions

    private static let step: Int64 = 8 << 20

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: object) { try await command.write(context) }
    }

    private func write(_ context: CommandContext) async throws -> Int32 {
        let place = try endpoint.place(object, context, as: .object, by: endpoint.connection(snapshot))
        let (opened, key) = try await context.openObject(place)
        let description = try await opened.store.head(key).object
        guard var rest = (range ?? .whole).resolved(size: description.size) else {
            throw CommandFailure(.usage, "\(object) has \(description.size) bytes; the range begins after its end")
        }
        let pool = BufferPool(limit: Int(Self.step))
        while !rest.isEmpty {
            let part = ByteRange(offset: rest.offset, length: min(Self.step, rest.length))
            let buffer = try await pool.acquire(Int(part.length))
            _ = try await opened.store.read(
                ReadRequest(key: key, range: part, version: description.version, objectSize: description.size),
                into: buffer)
            try writeAll(buffer.slice(Int(part.length)))
            rest = ByteRange(offset: part.end, length: rest.end - part.end)
        }
        return ExitStatus.ok.rawValue
    }

    private func writeAll(_ slice: BufferSlice) throws {
        try slice.withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let count = Foundation.write(STDOUT_FILENO, rest.baseAddress!, rest.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    throw CommandFailure(.partial, "standard output: \(String(cString: strerror(errno)))")
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            }
        }
    }
}

/// `A-B`, `A-` or `-N`, as in an HTTP Range header.
struct RangeArgument: ExpressibleByArgument {
    private enum Form {
        case bounds(Int64, Int64?)
        case last(Int64)
    }

    private let form: Form

    static let whole = RangeArgument(form: .bounds(0, nil))

    private init(form: Form) {
        self.form = form
    }

    init?(argument: String) {
        let parts = argument.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        if parts[0].isEmpty {
            guard let count = Int64(parts[1]), count > 0 else { return nil }
            form = .last(count)
        } else {
            guard let first = Int64(parts[0]) else { return nil }
            guard !parts[1].isEmpty else {
                form = .bounds(first, nil)
                return
            }
            guard let last = Int64(parts[1]), last >= first else { return nil }
            form = .bounds(first, last)
        }
    }

    /// nil when it begins after the end; an end after the object's is cut, as HTTP does.
    func resolved(size: Int64) -> ByteRange? {
        switch form {
        case .last(let count): return ByteRange(offset: max(0, size - count), length: min(count, size))
        case .bounds(let first, let last):
            guard first < size || (first == 0 && last == nil) else { return nil }
            return ByteRange(offset: first, length: min(last.map { $0 + 1 } ?? size, size) - first)
        }
    }
}
