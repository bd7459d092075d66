import ObjectStores
import ReplicationModel
import Synchronization
import TestFixtures

/// The faults of one run of a history: each follows from the seed, the side, the call, the key and how often it was made.
final class HistoryFaults: Sendable {
    private let seed: UInt64
    private let side: String
    private let percent: Int
    private let endsRuns: Bool
    private let model: HistoryModel
    private let calls = Mutex<[String: Int]>([:])

    init(seed: UInt64, side: String, percent: Int, endsRuns: Bool, model: HistoryModel) {
        self.seed = seed
        self.side = side
        self.percent = percent
        self.endsRuns = endsRuns
        self.model = model
    }

    func next(_ operation: StoreOperation, _ key: ObjectKey?) -> Fault? {
        let subject = "\(side) \(operation.rawValue) \(key?.text ?? "")"
        let number = calls.withLock {
            $0[subject, default: 0] += 1
            return $0[subject]!
        }
        var random = SeededRandom(seed, [subject, "\(number)"])
        guard random.chance(percent) else {
            model.note("\(subject) \(number)")
            return nil
        }
        let (name, fault) = random.pick(choices(operation, key, random))
        model.note("\(subject) \(number) \(name)")
        if name == "flipped", side == "target", let key { model.damage(key) }
        return fault
    }

    private func choices(_ operation: StoreOperation, _ key: ObjectKey?, _ random: SeededRandom) -> [(String, Fault)] {
        var random = random
        let bytes = random.bytes()
        let common: [(String, Fault)] = [("transient", .transient), ("forbidden", .error(.forbidden))]
        let lost: [(String, Fault)] = [("lost reply", .lostReply), ("lost request", .lostRequest)]
        guard let key else {
            guard operation == .list else { return common }
            guard endsRuns else { return [("transient", .transient)] }
            return [
                ("transient", .transient), ("refused", .error(.invalidResponse)),
                ("repeated", .page { ListPage(objects: $0.objects + $0.objects.suffix(1), next: $0.next) }),
            ]
        }
        let model = model
        let foreign: (String, Fault) = ("foreign", .before { await model.putForeign(bytes, key) })
        return switch operation {
        case .read where side == "source":
            common + [
                ("short", .shortRead), ("changed", .error(.versionChanged)), ("flipped", .flippedBit),
                ("gone", .error(.notFound)),
                ("replaced", .before { await model.putSource(bytes, key) }),
                ("deleted", .before { await model.deleteSource(key) }),
            ]
        case .put, .completeUpload:
            common + lost + lost + [("flipped", .flippedBit), foreign] + (endsRuns ? [("full", .error(.noSpace))] : [])
        case .uploadPart: common + lost + [("flipped", .flippedBit)]
        case .delete: common + lost + [foreign]
        default: common
        }
    }
}
