import Configuration
import Cryptography
import ReplicationModel
import Testing

@Suite struct ReferenceTests {
    private let canary = "hunter2-canary"

    @Test func `variables stand for any part of a text`() throws {
        var fixture = ConfigurationFixture()
        fixture.environment = ["BUCKET": "models", "N": "16", "ON": "true"]
        let pair = try fixture.read(
            "version: 1\npairs:\n  m:\n    source: s3://${env:BUCKET}/${env:N}\n    target: /x/$${env:N}\n"
                + "    delta: ${env:ON}\n    limits: {concurrency: '${env:N}'}\n"
        ).pairs[0]
        #expect(pair.source.location.description == "s3://models/16/")
        #expect(pair.target.location.bucket == "/x/${env:N}")
        #expect(pair.settings.delta && pair.settings.limits.concurrency == 16)
    }

    @Test func `secrets come from variables and files, and from nowhere else`() throws {
        var fixture = ConfigurationFixture()
        fixture.environment = ["KEY": canary, "DIR": "/run"]
        fixture.files = ["/run/secret": "\(canary)\r\nmore", "/etc/lockstep/near": canary]
        func secret(_ text: String) throws -> String? {
            let file = try fixture.read(
                ConfigurationFixture.file(rest: "clouds: {c: {type: s3, secret_access_key: \"\(text)\"}}"))
            return file.clouds["c"]?.fields.value("secret_access_key", as: Secret.self)?.revealed()
        }
        #expect(try secret("${env:KEY}") == canary)
        #expect(try secret("file:/run/secret") == canary)
        #expect(try secret("file:${env:DIR}/secret") == canary)
        #expect(try secret("file:near") == canary)
        let literal = fixture.problems(
            ConfigurationFixture.file(rest: "clouds: {c: {type: s3, secret_access_key: \(canary)}}"))
        #expect(
            literal == [
                "7:43: clouds.c.secret_access_key: a secret is not written into this file: refer to it by ${env:NAME} or file:PATH"
            ])
    }

    @Test(arguments: [
        "    delta: ${env:KEY}", "    limits: {concurrency: '${env:KEY}'}", "    limits: {rate: '${env:KEY}'}",
        "    comparison: ${env:KEY}", "    schedule: {cron: '${env:KEY}'}", "    time_zone: ${env:KEY}",
        "    filters: [{include: '{${env:KEY}'}]", "    windows: [{from: '${env:KEY}', to: 1:00, rate: 1}]",
        "    on_conflict: hunter2-canary", "    hunter2: hunter2-canary", "    limits: hunter2-canary",
        "    layout: [hunter2-canary]", "    manifest: {control: 'hunter2-canary://x'}", "    lease: hunter2-canary",
        "    events: {queue: hunter2-canary}", "    windows: hunter2-canary", "    filters: [hunter2-canary]",
        "    source: {location: 'https://u:hunter2-canary@host/'}", "    manifest: {keep: hunter2-canary}",
    ])
    func `no problem shows a value`(keys: String) {
        var fixture = ConfigurationFixture()
        fixture.environment = ["KEY": canary]
        let problems = fixture.problems(ofPair: keys)
        #expect(!problems.isEmpty && !problems.joined().contains(canary), "\(problems)")
    }

    @Test func `references to nothing`() {
        var fixture = ConfigurationFixture()
        fixture.environment = ["CHAT_URL": "https://x", "EMPTY": ""]
        fixture.files = ["/empty": "\nx"]
        func problem(_ text: String) -> String? {
            fixture.problems(
                ConfigurationFixture.file(rest: "notifications: [{name: n, webhook: \"\(text)\"}]")
            ).first.map { String($0.drop { $0 != " " }.dropFirst()) }
        }
        let path = "notifications[n].webhook: "
        #expect(problem("${env:CHATURL}") == path + "the variable CHATURL is not set; did you mean 'CHAT_URL'?")
        #expect(problem("${env:EMPTY}") == path + "the variable EMPTY is empty")
        #expect(problem("${CHAT_URL}")?.contains("${env:NAME}") == true)
        #expect(problem("${env:CHAT URL}")?.contains("letters, digits and _") == true)
        #expect(problem("${env:CHAT_URL")?.contains("${env:NAME}") == true)
        #expect(problem("file:/nowhere") == path + "the file /nowhere cannot be read: No such file or directory")
        #expect(problem("file:/empty") == path + "the file /empty begins with an empty line")
        #expect(problem("${env:CHAT_URL}/x") == nil)
    }
}
