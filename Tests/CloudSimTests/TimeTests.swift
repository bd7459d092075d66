import CloudSim
import Testing

@Suite struct TimeTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
        (1_798_761_600, "Fri, 01 Jan 2027 00:00:00 GMT", "2027-01-01T00:00:00.000Z"),
        (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT", "2000-02-29T12:34:56.000Z"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT", "2100-02-28T23:59:59.000Z"),
    ])
    func formats(_ seconds: Int64, _ http: String, _ iso: String) {
        let time = SimTime(seconds: seconds)
        #expect(time.httpDate == http)
        #expect(time.iso8601 == iso)
        #expect(SimTime(httpDate: http) == time)
        #expect(SimTime(iso8601: iso) == time)
    }

    @Test func compactForm() {
        #expect(SimTime(iso8601: "20130524T000000Z") == SimTime(seconds: 1_369_353_600))
        #expect(SimTime(iso8601: "2013") == nil)
        #expect(SimTime(iso8601: "20131324T000000Z") == nil)
        #expect(SimTime(httpDate: "yesterday") == nil)
    }
}
