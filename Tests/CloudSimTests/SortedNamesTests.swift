import CloudSim
import Testing

@Suite struct SortedNamesTests {
    /// Names in the order the map has them.
    private func names(_ map: SortedNames<Int>, from position: SortedNames<Int>.Position? = nil) -> [ObjectName] {
        var found: [ObjectName] = []
        var position = position ?? map.start
        while let entry = map.entry(at: position) {
            found.append(entry.name)
            map.advance(&position)
        }
        return found
    }

    @Test func behavesAsADictionaryInByteOrder() {
        var generator = SeededGenerator(seed: 11)
        var map = SortedNames<Int>()
        var model: [ObjectName: Int] = [:]
        for step in 0..<20_000 {
            let name = ObjectName(
                (0..<Int.random(in: 0...3, using: &generator)).map { _ in UInt8.random(in: 0...40, using: &generator) })
            if Int.random(in: 0..<3, using: &generator) == 0 {
                map[name] = nil
                model[name] = nil
            } else {
                map[name] = step
                model[name] = step
            }
        }
        #expect(map.count == model.count)
        #expect(names(map) == model.keys.sorted())
        for (name, value) in model { #expect(map[name] == value) }
    }

    @Test(arguments: [false, true])
    func splitsChunks(_ descending: Bool) {
        var map = SortedNames<Int>()
        let numbers = (0..<5_000).map { descending ? 4_999 - $0 : $0 }
        for number in numbers { map[ObjectName(String(10_000 + number))] = number }
        #expect(names(map).map(\.text) == (10_000..<15_000).map(String.init))
        for number in 0..<5_000 where number % 2 == 0 { map[ObjectName(String(10_000 + number))] = nil }
        #expect(map.count == 2_500)
        #expect(map[ObjectName("10001")] == 1)
        #expect(map[ObjectName("10002")] == nil)
    }

    @Test func boundsAreInclusiveAndExclusive() {
        var map = SortedNames<Int>()
        for name in ["a", "c", "e"] { map[ObjectName(name)] = 0 }
        #expect(names(map, from: map.lowerBound(ObjectName("c"))).map(\.text) == ["c", "e"])
        #expect(names(map, from: map.upperBound(ObjectName("c"))).map(\.text) == ["e"])
        #expect(names(map, from: map.lowerBound(ObjectName("b"))).map(\.text) == ["c", "e"])
        #expect(names(map, from: map.lowerBound(ObjectName("f"))).isEmpty)
    }

    @Test func bytesAreUnsigned() {
        let names = [[], [0], [0x7F], [0x80], [0xFF], [0xFF, 0]].map { ObjectName($0) }
        #expect(names.shuffled().sorted() == names)
        #expect(ObjectName([0x61, 0xFF]).afterPrefix == ObjectName([0x62]))
        #expect(ObjectName([0xFF]).afterPrefix == nil)
    }
}
