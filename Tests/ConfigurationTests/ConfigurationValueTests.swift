import Configuration
import Manifests
import Replication
import ReplicationModel
import Testing

@Suite struct ConfigurationValueTests {
    private let fixture = ConfigurationFixture()

    @Test func `a pair says what flags say`() throws {
        let pair = try fixture.pair(
            """
                filters: [{exclude: "*.tmp"}, {include: "**"}]
                delete: {enabled: true, max: 5%, backup_prefix: .lockstep/kept}
                pointers: {patterns: "**/latest", sets: [models/*/]}
                delta: true
                comparison: checksum
                on_conflict: replace
                manifest: {control: s3://control, keep: 3, signing_key: key.pem}
                limits: {rate: 200M, max_transfer: 1T, max_duration: 6h, memory: 256M, concurrency: 8, part_size: 16M}
                lease: 30s
                check: {evidence: 2, sample: 1%, seed: 7, one_way: true, read: true, ledger: false, set_depth: 2}
            """)
        let options = pair.settings.options(runFolder: "now")
        #expect(options.filter.includes("a/b") && !options.filter.includes("a/b.tmp"))
        #expect(
            options.deletion
                == .on(
                    limit: .init(count: 10_000, percent: 5, percentFloor: 0),
                    backupPrefix: ObjectKey(".lockstep/kept/now/")))
        #expect(options.sets?.prefix(of: "models/a/latest") == "models/a/")
        #expect(options.delta && options.comparison == .checksum && options.onConflict == .replace)
        #expect(options.maxTransfer == 1 << 40 && options.maxDuration == .seconds(21600))
        #expect(options.memory == 256 << 20 && options.concurrency == 8 && options.partSize == 16 << 20)
        #expect(pair.settings.manifest.kept == 3 && pair.settings.manifest.signingKey == "/etc/lockstep/key.pem")
        #expect(pair.control?.location.description == "s3://control/")
        #expect(pair.settings.lease.length?.duration == .seconds(30))
        #expect(pair.windows.allowance(at: 0) == .rate(200 << 20))
        let check = pair.check.options(freshSeed: 1)
        #expect(check.evidence == .reported && check.sample == CheckSample(percent: 1, seed: 7) && check.isOneWay)
        #expect(!pair.check.usesLedger && check.memory == 256 << 20 && check.concurrency == 8)
    }

    @Test func `defaults hold where a pair says nothing`() throws {
        let file = try fixture.read(
            """
            version: 1
            defaults:
              limits: {memory: 64M, concurrency: 4}
              schedule: {cron: "0 1 * * *", jitter: 5m}
              filters: [{exclude: "*.tmp"}]
              delete: {enabled: true}
            pairs:
              plain: {source: s3://a, target: gs://a}
              own:
                source: s3://b
                target: gs://b
                limits: {concurrency: 9}
                schedule: {every: 15m}
                filters: [{exclude: "*.log"}]
            """)
        let plain = file.pairs[0]
        let own = file.pairs[1]
        #expect(plain.settings.limits.concurrency == 4 && plain.schedule?.jitter == 300)
        #expect(own.settings.limits.concurrency == 9 && own.settings.limits.memory?.bytes == 64 << 20)
        // What belongs together is replaced together.
        #expect(own.schedule == Schedule(.every(900)))
        #expect(own.settings.filter.includes("a.tmp") && !own.settings.filter.includes("a.log"))
        #expect(own.settings.deletion.isEnabled)
    }

    @Test func `a problem in defaults is told once, where it stands`() {
        let problems = fixture.problems(
            """
            version: 1
            defaults:
              limits: {memory: 1M}
            pairs:
              a: {source: s3://a, target: gs://a}
              b: {source: s3://b, target: gs://b}
            """)
        #expect(problems == ["3:12: defaults.limits.memory: limits.memory must be at least 8M"])
    }

    @Test func `vaults are found by name and by location`() throws {
        let file = try fixture.read(
            """
            version: 1
            clouds: {dr: {type: gs}}
            vaults: {offsite: {location: gs://v/models, cloud: dr, password_file: pw}}
            pairs:
              named: {source: s3://a, target: {vault: offsite, folder: x/y}, layout: vault}
              located: {source: s3://b, target: {location: "vault+gs://v/models/z", cloud: dr}}
              other: {source: s3://c, target: vault+gs://w}
              back: {source: {vault: offsite, snapshot: 12}, target: /srv/back}
            """)
        #expect(file.pairs[0].target.location.description == "vault+gs://v/models/x/y/")
        #expect(file.pairs[0].target.cloud == "dr" && file.pairs[0].target.vault == "offsite")
        #expect(file.pairs[1].target.vault == "offsite" && file.pairs[2].target.vault == nil)
        #expect(file.pairs[3].source.snapshot == "12")
        #expect(file.vaults["offsite"]?.passwordFile == "/etc/lockstep/pw")
    }

    @Test func `events ask the source's cloud unless they say another`() throws {
        let rest = "clouds: {prod: {type: s3}, dr: {type: gs}}"
        let queue = "https://sqs.eu-central-1.amazonaws.com/1/models"
        let events = try fixture.pair("    events: {queue: \"\(queue)\"}", rest: rest).events
        #expect(events?.queue == queue && events?.batchWait == .seconds(10) && events?.cloud == nil)
        #expect(
            fixture.problems(ofPair: "    events: {queue: \"\(queue)\", cloud: dr}", rest: rest).map {
                $0.contains("the cloud is of type gs, the queue of s3")
            } == [true])
        #expect(EventQueueKind("projects/p/subscriptions/s") == .pubSub)
        #expect(EventQueueKind("https://acct.queue.core.windows.net/q") == .storageQueue)
    }

    @Test func `the next moment without runs is found over many windows`() throws {
        let windows = try RateWindows(
            [
                RateWindow(days: "mon-fri", from: "08:00", to: "18:00", rate: 1),
                RateWindow(days: "sun", from: "02:00", to: "03:00", rate: 0),
            ])
        // Thursday, 1 January 1970, to Sunday.
        #expect(windows.nextClosing(from: 0) == Int64(3 * 86400 + 7200))
        #expect(windows.nextClosing(from: 3 * 86400 + 7200 + 60) == Int64(3 * 86400 + 7260))
        #expect(try RateWindows(otherwise: 5).nextClosing(from: 0) == nil)
    }

    @Test func `schema and table of keys name every key`() {
        for key in ["secret_access_key", "part_size", "batch_wait", "federated_token_file", "parallel_pairs"] {
            #expect(ConfigurationSchema.json.contains("\"\(key)\""))
            #expect(KeyReference.markdown.contains("\(key)`"))
        }
    }
}
