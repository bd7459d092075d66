import ReplicationModel
import Testing

struct DurationTextTests {
    @Test(
        "a length of time has the units that matter",
        arguments: [
            (Duration.nanoseconds(136_508_945), "0.1 s"), (.zero, "0 s"), (.seconds(-3), "0 s"), (.seconds(10), "10 s"),
            (.milliseconds(5390), "5.3 s"), (.milliseconds(59_999), "59.9 s"), (.seconds(60), "1 min"),
            (.seconds(123), "2 min 3 s"), (.seconds(3600), "1 h"), (.seconds(3900), "1 h 5 min"),
            (.seconds(172_799), "47 h 59 min"), (.seconds(3 * 86400), "3 days"),
        ])
    func text(duration: Duration, expected: String) {
        #expect(duration.text == expected)
    }
}
