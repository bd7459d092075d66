import ArgumentParser
import ChunkPipeline
import Foundation

/// `lockstep vault speed [FILE]`: what one core of this machine does in a second.
struct VaultSpeedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "speed",
        abstract: "Measures on one core how fast bytes are cut, hashed, compressed and sealed, and the whole of it.",
        discussion: """
            EXAMPLES
              lockstep vault speed model.safetensors
              lockstep vault speed rows.jsonl --chunker gear --json
            """)

    @Argument(help: "Its first 256 MiB are measured with; without one, made-up bytes: half noise, half lines of text.")
    var file: String?
    @Option(help: ArgumentHelp("As of vault init.", valueName: "tensor|gear|gear-small|fixed:SIZE"))
    var chunker = ChunkerArgument(argument: "tensor")!
    @Flag(help: "One JSON object a line.")
    var json = false

    private static let maxBytes = 256 << 20
    private static let madeUpBytes = 32 << 20

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run { try command.measure(context) }
    }

    private func measure(_ context: CommandContext) throws -> Int32 {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.maxBytes, alignment: 64)
        defer { bytes.deallocate() }
        let count = if let file { try Self.read(file, into: bytes) } else { Self.makeUp(bytes) }
        guard count > 0 else { throw CommandFailure(.usage, "\(file ?? "") is empty: nothing to measure with") }
        let sample = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        var table = TextTable(["stage", "MiB/s", "stored"], right: [1, 2])
        for speed in StageSpeed.measure(sample, profile: chunker.profile, atLeast: .milliseconds(500)) {
            if json {
                context.console.data(VaultEvent(speed))
            } else {
                table.add([
                    speed.stage.rawValue, Format.fixed(speed.bytesPerSecond / 1_048_576, 0),
                    speed.ratio.map { Format.fixed($0 * 100, 1) + "%" } ?? "",
                ])
            }
        }
        if !json { for line in table.lines { context.console.data(line) } }
        return ExitStatus.ok.rawValue
    }

    private static func read(_ path: String, into bytes: UnsafeMutableRawBufferPointer) throws(CommandFailure) -> Int {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw CommandFailure(.usage, "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        var filled = 0
        while filled < bytes.count {
            let count = Foundation.read(file, bytes.baseAddress! + filled, bytes.count - filled)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw CommandFailure(.usage, "\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            guard count > 0 else { break }
            filled += count
        }
        return filled
    }

    private static func makeUp(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
        var noise = SystemRandomNumberGenerator()
        let words = bytes.bindMemory(to: UInt64.self)
        let half = madeUpBytes / 2
        for index in 0..<half / 8 { words[index] = noise.next() }
        var end = half
        var row = 0
        while end < madeUpBytes {
            let line = Array(#"{"id":\#(row),"text":"row \#(row % 977) of many that say much the same"}"#.utf8) + [10]
            for byte in line.prefix(madeUpBytes - end) {
                bytes[end] = byte
                end += 1
            }
            row += 1
        }
        return madeUpBytes
    }
}

extension VaultEvent {
    fileprivate init(_ speed: StageSpeed) {
        self.init("speed")
        stage = speed.stage.rawValue
        bytesPerSecond = Int64(speed.bytesPerSecond)
        ratio = speed.ratio
    }
}
