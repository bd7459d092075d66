package import ReplicationModel

/// Which cloud's queue a text names.
package enum EventQueueKind: Sendable, Hashable {
    case sqs, pubSub, storageQueue

    package init?(_ text: String) {
        if text.wholeMatch(of: /projects\/[^\/]+\/subscriptions\/[^\/]+/) != nil {
            self = .pubSub
        } else if text.wholeMatch(of: /https?:\/\/[^\/]+\.queue\.[^\/]+\/[^\/]+/) != nil {
            self = .storageQueue
        } else if text.wholeMatch(of: /https?:\/\/[^\/]+\/[0-9]+\/[^\/]+/) != nil {
            self = .sqs
        } else {
            return nil
        }
    }

    package var service: ObjectLocation.Service {
        switch self {
        case .sqs: .s3
        case .pubSub: .gs
        case .storageQueue: .az
        }
    }
}
