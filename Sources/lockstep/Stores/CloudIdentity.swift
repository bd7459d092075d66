import AWS
import Azure
import Google

/// Who asks a cloud, as a configuration says it; what it leaves out comes from the environment.
enum CloudIdentity: Sendable, Hashable {
    case aws(AWSIdentity)
    case google(GoogleIdentity)
    case azure(AzureIdentity)

    var aws: AWSIdentity? { if case .aws(let identity) = self { identity } else { nil } }
    var google: GoogleIdentity? { if case .google(let identity) = self { identity } else { nil } }
    var azure: AzureIdentity? { if case .azure(let identity) = self { identity } else { nil } }
}
