import Configuration
import Testing

@Suite struct HostileFileTests {
    private let fixture = ConfigurationFixture()

    private func refusal(_ text: String) -> String { fixture.problems(text).joined(separator: "\n") }

    @Test func `aliases are refused before they stand for anything`() {
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<20 {
            bomb +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ") + "]\n"
        }
        #expect(refusal(bomb).hasPrefix("2:10: aliases are not read"))
        let keys = bomb + "? [*a19, *a19]\n: x\n"
        #expect(refusal(keys).hasPrefix("2:10: aliases are not read"))
        #expect(refusal("version: *one\n").contains("aliases are not read"))
        #expect(refusal("pairs: &p {}\nversion: 1\n").contains("anchors are not read"))
        #expect(refusal("version: 1\n<<: {a: b}\npairs: {}\n").contains("merge keys are not read"))
        #expect(refusal("version: !!int 1\n").contains("tags are not read"))
        #expect(refusal("version: !custom 1\n").contains("tags are not read"))
        #expect(refusal("version: 1\n--- \nversion: 1\n").contains("a second document begins here"))
        #expect(refusal("version: 1\n? [a, b]\n: x\n").contains("a key is one word"))
    }

    @Test func `what is inside of quotes is no alias`() throws {
        let text = ConfigurationFixture.file(
            rest: "notifications: [{name: n, command: [sh, -c, \"x &y; echo *y\", '&y', '*y']}]  # &a *a")
        #expect(try fixture.read(text).notifications.count == 1)
    }

    @Test func `depth, size and number are bounded`() {
        #expect(refusal(String(repeating: "[", count: 100_000)).contains("more than 20000 values"))
        #expect(
            refusal("version: 1\nx: " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40))
                .contains("nested deeper than 32 levels"))
        #expect(refusal("x: " + String(repeating: "y", count: 2 << 20)).contains("larger than 1 MiB"))
        #expect(
            refusal("version: 1\nx: " + String(repeating: "y", count: 1_000_000)).hasPrefix("1:1: 'pairs' is missing"))
        #expect(refusal("x: [" + String(repeating: "y,", count: 30_000) + "]").contains("more than 20000 values"))
        #expect(refusal("x: [" + String(repeating: "y,", count: 500_000) + "]").contains("more than 20000 values"))
        #expect(refusal(String(repeating: "[", count: 10_000)).contains("nested too deeply"))
        #expect(refusal(String(repeating: "- ", count: 400_000)).contains("nested too deeply"))
    }

    @Test func `bytes that are no text`() {
        let good = Array(ConfigurationFixture.file().utf8)
        #expect(fixture.problems([0xEF, 0xBB, 0xBF] + good).isEmpty)
        #expect(fixture.problems(good + [0xFF, 0xFE]).first?.contains("not UTF-8") == true)
        #expect(fixture.problems(good + [0x23, 0x00]).first == "8:2: a NUL byte: this is not a text file")
        #expect(fixture.problems(good + [0x07]).first?.contains("this is not a text file") == true)
        #expect(fixture.problems([UInt8]()).first?.contains("empty") == true)
        #expect(fixture.problems(Array("# only words\n".utf8)).first?.contains("empty") == true)
        #expect(fixture.problems(Array("just a text".utf8)).first?.contains("must be a mapping") == true)
    }

    @Test func `line ends of Windows, and tabs`() {
        #expect(fixture.problems(ConfigurationFixture.file().replacing("\n", with: "\r\n")).isEmpty)
        #expect(refusal("version: 1\npairs:\n\tx: 1\n").contains("spaces, not tabs"))
        #expect(refusal("version: 1\npairs: {a: b: c}\n").hasPrefix("2:"))
    }

    @Test func `words that old readers take for something else`() throws {
        let pair = try fixture.pair(
            """
                delta: on
                windows:
                  - {days: sun, from: 08:00, to: 22:30, rate: 010M}
                check: {attributes: No}
            """)
        #expect(pair.settings.delta && !pair.check.comparesAttributes)
        // A Sunday, 4 January 1970.
        #expect(pair.windows.allowance(at: 3 * 86400 + 22 * 3600 + 29 * 60) == .rate(10 << 20))
        #expect(pair.windows.allowance(at: 3 * 86400 + 22 * 3600 + 30 * 60) == .unlimited)
        let clouds = try fixture.read(
            ConfigurationFixture.file(
                rest: "clouds: {a: {type: s3, profile: 1.10, region: 0755, external_id: 12:30:45}}")
        ).clouds
        #expect(clouds["a"]?.profile == "1.10" && clouds["a"]?.region == "0755")
        #expect(clouds["a"]?.fields.value("external_id") == "12:30:45")
        #expect(fixture.problems(ConfigurationFixture.file(rest: "state: no")).first?.contains("into quotes") == true)
        #expect(try fixture.read(ConfigurationFixture.file(rest: "state: 'no'")).state == "/etc/lockstep/no")
        #expect(fixture.problems(ConfigurationFixture.file(rest: "state: ~")).first?.contains("has no value") == true)
        #expect(
            fixture.problems("version: 1.0\npairs: {}").first?.hasPrefix("1:10: version: must be a whole number")
                == true)
        #expect(
            fixture.problems("version: 2\npairs: {}").first?.contains("must be 1, the version of this format") == true)
        let notified = try fixture.read(
            ConfigurationFixture.file(rest: "notifications: [{name: n, command: [x], on: failure}]"))
        #expect(notified.notifications[0].events == [.failure])
    }

    @Test func `mutations of a good file are read or refused, and never end the process`() throws {
        let seed = UInt64(20_261_121)
        var random = SplitMix64(seed)
        let good = Array(MutatedFile.text.utf8)
        #expect(fixture.problems(good).isEmpty)
        var refused = 0
        for round in 0..<3000 {
            var bytes = good
            for _ in 0...random.below(4) { MutatedFile.mutate(&bytes, &random) }
            let problems = fixture.problems(bytes)
            if !problems.isEmpty { refused += 1 }
            #expect(problems.count <= 50, "seed \(seed), round \(round)")
        }
        #expect(refused > 1000)
    }
}

/// A file with one of everything, and ways to spoil it.
private enum MutatedFile {
    static let text = """
        version: 1
        state: "/var/lib/lockstep"
        clouds:
          prod: {type: s3, region: 'eu-central-1', role_arn: "arn:models"}
        defaults: {limits: {memory: 64M}}
        pairs:
          models:
            source: {location: s3://models/x, cloud: prod}
            target: gs://models-replica
            filters:
              - exclude: "**/models/**"
              - {include: "**"}
            delete: {enabled: yes, max: [10, 5%]}
            schedule: {cron: "*/15 * * * *"}
            windows: [{days: mon-fri, from: 08:00, to: 18:00, rate: 20M}]
        notifications:
          - {name: pager, command: [page, models], on: [failure]}
        """

    private static let pieces = [
        "&a ", "*a", "!!str ", "<<: ", "[", "]", "{", "}", ": ", "- ", "? ", "\n", "\t", "\"", "'", "|\n", ">\n", "#",
        "${env:X}",
        "${", "---\n", "\u{0}", "\u{FEFF}", "%TAG", "@", "`", "~", "null", "  ", ",", "\u{1F600}", "0", "-1", "1e999",
    ].map { Array($0.utf8) }

    static func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        guard !bytes.isEmpty else { return }
        let index = random.below(bytes.count)
        switch random.below(6) {
        case 0: bytes[index] = UInt8(random.below(256))
        case 1: bytes.remove(at: index)
        case 2: bytes.insert(contentsOf: pieces[random.below(pieces.count)], at: index)
        case 3: bytes.removeSubrange(index..<min(bytes.count, index + 1 + random.below(40)))
        case 4: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 1 + random.below(60))], at: index)
        default:
            let other = random.below(bytes.count)
            bytes.swapAt(index, other)
        }
    }
}

/// Steele, Lea and Flood: the same numbers for the same seed.
private struct SplitMix64 {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
