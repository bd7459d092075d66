import Cryptography
import HTTPTransport
import ObjectStores
import Operations
import Testing

struct NotifierTests {
    private let lines = Lines()

    private func notice(_ event: PairEvent = .failure, pair: String = "p") -> Notice {
        let work = PairWork(pair: pair, kind: .sync, trigger: .schedule)
        return Notice(event, outcome(75), of: work, host: "host")
    }

    private func channel(_ name: String, on events: Set<PairEvent> = [.failure], pairs: Set<String>? = nil)
        -> NotificationChannel
    {
        NotificationChannel(
            name: name, destination: .webhook(Secret("https://\(name).example/secret")), events: events, pairs: pairs)
    }

    private func notifier(
        _ channels: [NotificationChannel], over transport: ScriptedTransport, time: any Timekeeper = ManualTime(1)
    ) -> Notifier {
        Notifier(channels, transport: transport, environment: [:], time: time, say: { [lines] in lines.add($0) })
    }

    @Test("who wants a notice gets it, and nobody else")
    func audience() async {
        let transport = ScriptedTransport(204)
        let notifier = notifier(
            [channel("all"), channel("drift", on: [.drift]), channel("others", pairs: ["q"])], over: transport)
        #expect(await notifier.deliver(notice()))
        #expect(transport.requests.map(\.url) == ["https://all.example/secret"])
        #expect(notifier.deliveries == ["all": ["sent": 1], "drift": [:], "others": [:]])
        #expect(lines.all.isEmpty)
        notifier.change(to: [channel("drift", on: [.drift])])
        #expect(await notifier.deliver(notice(.drift)))
        #expect(notifier.deliveries == ["drift": ["sent": 1]])
    }

    @Test("a server that is busy is asked three times, and then it is said without the URL")
    func triesAgain() async {
        let time = ManualTime(1)
        let transport = ScriptedTransport(503)
        let notifier = notifier([channel("chat")], over: transport, time: time)
        async let isDelivered = notifier.deliver(notice())
        var waits = time.waits.makeAsyncIterator()
        var pauses: [Duration] = []
        while pauses.count < 2, let wait = await waits.next() {
            // The answers themselves may take fifteen seconds each, and take none.
            guard wait < .seconds(15) else { continue }
            pauses.append(wait)
            time.advance(seconds: wait.components.seconds)
        }
        #expect(await !isDelivered)
        #expect(pauses == [.seconds(1), .seconds(4)])
        #expect(transport.requests.count == 3)
        #expect(notifier.deliveries == ["chat": ["failed": 1]])
        #expect(lines.all == ["notification chat was not delivered (failure of pair p): the server answered 503"])
    }

    @Test("what would end the same way is not tried again", arguments: [400, 404, 410])
    func final(status: Int) async {
        let transport = ScriptedTransport(status)
        let notifier = notifier([channel("chat")], over: transport)
        #expect(await !notifier.deliver(notice()))
        #expect(transport.requests.count == 1)
        #expect(notifier.deliveries == ["chat": ["failed": 1]])
    }

    @Test("a server that never answers keeps nobody for ever")
    func hangs() async {
        // Every wait is over at once: that for the answer, and those between the attempts.
        let transport = ScriptedTransport(nil)
        let notifier = notifier([channel("chat")], over: transport, time: FixedTime())
        #expect(await !notifier.deliver(notice()))
        #expect(transport.requests.count == 3)
        #expect(notifier.deliveries == ["chat": ["failed": 1]])
    }
}
