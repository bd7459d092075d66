import Foundation
import ReplicationModel

/// Policies as text that people read, or as one JSON object.
struct PolicyOutput {
    let console: Console

    func write(_ side: PolicyUse.Side, _ location: ObjectLocation, _ policy: Policy) {
        console.data("# \(side.rawValue) \(location)")
        for document in policy.documents {
            console.data("# \(document.kind)")
            console.data(document.json)
        }
        for note in policy.notes { console.data("# \(note)") }
        console.data("")
    }

    func writeDocuments(_ policy: Policy) {
        for document in policy.documents { console.data(document.json) }
    }

    func writeJSON(_ policies: [(side: PolicyUse.Side, location: ObjectLocation, policy: Policy)]) throws {
        var root: [String: Any] = ["schema": "lockstep.policy/1"]
        for (side, location, policy) in policies {
            root[side.rawValue] = [
                "location": "\(location)", "cloud": policy.cloud, "notes": policy.notes,
                "documents": try policy.documents.map { document in
                    [
                        "kind": document.kind,
                        "content": try JSONSerialization.jsonObject(with: Data(document.json.utf8)),
                    ]
                },
            ]
        }
        let data = try JSONSerialization.data(withJSONObject: root, options: [.sortedKeys, .withoutEscapingSlashes])
        console.data(String(decoding: data, as: UTF8.self))
    }
}
