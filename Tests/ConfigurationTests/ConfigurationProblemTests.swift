import Configuration
import ReplicationModel
import Testing

@Suite struct ConfigurationProblemTests {
    private let fixture = ConfigurationFixture()

    @Test func `the least that a file needs`() throws {
        let file = try fixture.read(ConfigurationFixture.file())
        #expect(file.pairs.map(\.name) == ["models"])
        #expect(file.pairs[0].source.location.description == "s3://a/x/")
    }

    @Test func `unknown keys are named with what was probably meant`() {
        #expect(
            fixture.problems(ofPair: "    limits:\n      raate: 5M\n    delet: {}")
                == [
                    "7:7: pairs.models.limits.raate: unknown key; did you mean 'rate'?",
                    "8:5: pairs.models.delet: unknown key; did you mean 'delete'?",
                ])
        #expect(
            fixture.problems(ofPair: "    max_transfer: 1T")
                == ["6:5: pairs.models.max_transfer: unknown key; did you mean 'limits.max_transfer'?"])
        #expect(
            fixture.problems(ofPair: "", rest: "log: {colour: red}")
                == ["7:7: log.colour: unknown key; known are format, level"])
    }

    @Test func `repeated keys are named where they stand, and the rest is looked at`() {
        let text = """
            version: 1
            pairs:
              models:
                source: s3://a
                target: gs://b
                source: s3://c
                source: s3://d
              other:
                source: s3://a
                target: gs://c
                nonsense: 1
            version: 1
            """
        #expect(
            fixture.problems(text) == [
                "6:5: source: the key is there already, in line 4; keep one of them",
                "7:5: source: the key is there already, in line 4; keep one of them",
                "11:5: pairs.other.nonsense: unknown key",
                "12:1: version: the key is there already, in line 1; keep one of them",
            ])
        #expect(
            fixture.problems("version: 1\npairs: {a: {source: s3://a, target: gs://b, 'source': s3://c}}")
                .map { $0.prefix(5) } == ["2:46:"])
    }

    @Test func `all problems are told at once, in the order of lines, and fifty of them`() {
        let pairs = (0..<60).map { "  p\($0):\n    source: s3://a\($0)\n    target: gs://b\($0)\n    x: 1\n" }
        let problems = fixture.problems("version: 1\npairs:\n" + pairs.joined())
        #expect(problems.count == 50)
        #expect(problems.first?.hasPrefix("6:5:") == true && problems.last?.hasPrefix("202:5:") == true)
    }

    @Test func `missing keys`() {
        #expect(fixture.problems("pairs: {}").count == 2)
        #expect(fixture.problems("version: 1").map { $0.contains("'pairs' is missing") } == [true])
        #expect(
            fixture.problems("version: 1\npairs:\n  a: {source: s3://a}").first?.hasPrefix(
                "3:3: pairs.a: 'target' is missing") == true)
    }

    @Test(arguments: [
        ("    delta: maybe", "6:12: pairs.models.delta: must be true or false"),
        ("    delta: [true]", "6:12: pairs.models.delta: must be true or false, and is a list"),
        (
            "    limits: 5",
            "6:13: pairs.models.limits: must be a mapping with keys such as rate, max_transfer, max_duration, memory, and is a single value"
        ),
        (
            "    limits: {concurrency: 010}",
            "6:27: pairs.models.limits.concurrency: must be a whole number without zeros before it; did you mean '10'?"
        ),
        ("    limits: {concurrency: 1e3}", "6:27: pairs.models.limits.concurrency: must be a whole number"),
        ("    limits: {concurrency: 5000}", "6:27: pairs.models.limits.concurrency: must be between 1 and 1024"),
        ("    limits: {memory: 1M}", "6:14: pairs.models.limits.memory: limits.memory must be at least 8M"),
        ("    limits: {memory: lots}", "6:22: pairs.models.limits.memory: must be a number of bytes such as 512M"),
        (
            "    limits: {memory: 0x20000000}",
            "6:22: pairs.models.limits.memory: must be a number of bytes such as 512M"
        ),
        ("    limits:", "6:5: pairs.models.limits: has no value; write one, or leave the key out"),
        (
            "    comparison: sizeonly",
            "6:17: pairs.models.comparison: must be versions, size_only or checksum; did you mean 'size_only'?"
        ),
        (
            "    filters: [{include: a, exclude: b}]",
            "6:28: pairs.models.filters[0]: either 'include' or 'exclude', not both"
        ),
        (
            "    filters: {include: a}",
            "6:14: pairs.models.filters: must be a list: one '- ' line for each, or [a, b]; it is a mapping"
        ),
        (
            "    pointers: {set_depth: 1}",
            "6:16: pairs.models.pointers.set_depth: pointers.set_depth and pointers.sets say what belongs to a pointer: name pointers with pointers.patterns"
        ),
        (
            "    schedule: {cron: '0 0 31 2 *'}",
            "6:22: pairs.models.schedule.cron: '0 0 31 2 *' never happens: no month that it names has such a day"
        ),
        (
            "    schedule: {every: 5s}",
            "6:23: pairs.models.schedule.every: every 5 s: at least a minute lies between two runs"
        ),
        (
            "    time_zone: Europe/Berln",
            "6:16: pairs.models.time_zone: must be the name of a time zone, such as Europe/Berlin or UTC; did you mean 'Europe/Berlin'?"
        ),
        (
            "    layout: vault",
            "6:5: pairs.models.layout: the target is no vault: write vault+ before its location, or name one by 'vault'"
        ),
        (
            "    windows: [{from: '08:00', to: '25:00', rate: 1M}]",
            "6:35: pairs.models.windows[0].to: must be a time of day from \"00:00\" to \"24:00\""
        ),
        (
            "    windows: [{from: 08:00, to: 18:00, rate: 1M}, {days: mon, from: 17:00, to: 20:00, rate: 0}]",
            "6:51: pairs.models.windows[1]: overlaps with the window in line 6"
        ),
        (
            "    windows: [{from: 00:00, to: 24:00, rate: 0}]",
            "6:5: pairs.models.windows: windows with rate 0 fill the whole week: the pair would never run"
        ),
        (
            "    events: {queue: elsewhere}",
            "6:14: pairs.models.events.queue: must be an SQS queue's URL, projects/PROJECT/subscriptions/NAME, or https://ACCOUNT.queue.core.windows.net/QUEUE"
        ),
    ])
    func `values that are none are named with what they should be`(keys: String, problem: String) {
        #expect(fixture.problems(ofPair: keys) == [problem])
    }

    @Test func `names that point nowhere`() {
        let text = """
            version: 1
            clouds: {prod: {type: s3}, dr: {type: gz}, x y: {type: s3}}
            pairs:
              models:
                source: {location: s3://a, cloud: prodd}
                target: {vault: offsit}
              "bad/name": {source: s3://a, target: gs://c}
            vaults: {offsite: {location: "gs://v", cloud: prod}}
            notifications: [{name: n, command: [x], pairs: [model]}, {name: n, command: [y]}]
            """
        #expect(
            fixture.problems(text) == [
                "2:39: clouds.dr.type: must be one of s3, gs, az; did you mean 'az'?",
                "2:44: clouds.x y: the name of a cloud has 1 to 64 letters, digits, '.', '_' or '-'",
                "5:32: pairs.models.source.cloud: there is no cloud of that name in clouds; did you mean 'prod'?",
                "6:14: pairs.models.target.vault: there is no vault of that name in vaults; did you mean 'offsite'?",
                "7:3: pairs.bad/name: the name of a pair has 1 to 64 letters, digits, '.', '_' or '-'",
                "8:40: vaults.offsite.cloud: the cloud is of type s3, and the location begins with gs://",
                "9:49: notifications[n].pairs[0]: there is no pair of that name; did you mean 'models'?",
                "9:59: notifications[n].name: another notification has that name",
            ])
    }

    @Test func `pairs that write over each other`() {
        func problems(_ pairs: String) -> [String] { fixture.problems("version: 1\npairs:\n" + pairs) }
        #expect(
            problems("  a: {source: s3://a, target: gs://b}\n  c: {source: s3://a, target: gs://b}")
                == ["4:23: pairs.c.target: the pair 'a' has the same source and target"])
        #expect(
            problems("  a: {source: s3://a, target: gs://b/x}\n  c: {source: s3://c, target: gs://b}")
                .map { $0.contains("the pair 'a' writes there too (line 3)") } == [true])
        #expect(
            problems("  a: {source: s3://a/x, target: s3://a}").map { $0.contains("source and target overlap") }
                == [true])
        #expect(problems("  a: {source: s3://a, target: gs://b/x}\n  c: {source: s3://c, target: gs://b/y}").isEmpty)
        #expect(problems("  a: {source: s3://a, target: gs://b}\n  c: {source: gs://b, target: s3://c}").isEmpty)
    }

    @Test func `places that a pair would damage`() {
        func problems(_ target: String, _ more: String = "") -> [String] {
            fixture.problems(
                "version: 1\nvaults: {off: {location: gs://b/x/v, key_file: k}}\npairs:\n  a: {source: s3://a/f, target: \(target)\(more)}"
            )
        }
        for target in ["gs://b", "gs://b/x", "gs://b/x/v", "gs://b/x/v/pack"] {
            #expect(problems(target).map { $0.contains("the vault 'off' is there") } == [true], "\(target)")
        }
        #expect(problems("gs://b/x/w").isEmpty)
        #expect(
            problems("gs://c", ", manifest: {control: s3://a/f/m}").map { $0.contains("is in the source") } == [true])
        #expect(problems("gs://c", ", manifest: {control: s3://a/m}").isEmpty)
        for limit in ["max_duration: 0s", "max_transfer: 0"] {
            #expect(
                problems("gs://c", ", limits: {\(limit)}").map { $0.contains("copies nothing") } == [true], "\(limit)")
        }
    }

    @Test func `pairs that take each other's events`() {
        let queue = "events: {queue: \"https://sqs.eu-west-1.amazonaws.com/1/q\"}"
        let found = fixture.problems(
            "version: 1\npairs:\n  a: {source: s3://a/x, target: gs://x, \(queue)}\n  b: {source: s3://a/y, target: gs://y, \(queue)}"
        )
        #expect(
            found.map { $0.hasPrefix("4:") && $0.contains("the pair 'a' reads the same queue") } == [true], "\(found)")
    }
}
