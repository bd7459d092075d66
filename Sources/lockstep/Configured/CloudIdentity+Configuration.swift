import AWS
import Azure
import Configuration
import Cryptography
import Google
import ReplicationModel

extension CloudIdentity {
    /// Who asks a cloud of the configuration.
    init(_ cloud: CloudSettings) {
        let fields = cloud.fields
        switch cloud.service {
        case .s3:
            self = .aws(
                AWSIdentity(
                    profile: cloud.profile, accessKeyID: fields.value("access_key_id"),
                    secretAccessKey: fields.value("secret_access_key"), sessionToken: fields.value("session_token"),
                    roleARN: fields.value("role_arn"), externalID: fields.value("external_id"),
                    roleSessionName: fields.value("role_session_name"),
                    roleDuration: fields.value("role_duration", as: TimeQuantity.self)?.duration,
                    webIdentityTokenFile: fields.value("web_identity_token_file"),
                    stsEndpoint: fields.value("sts_endpoint"), isAnonymous: cloud.isAnonymous))
        case .gs:
            self = .google(
                GoogleIdentity(
                    credentialsFile: fields.value("credentials_file"), impersonate: fields.value("impersonate"),
                    isAnonymous: cloud.isAnonymous))
        case .az:
            self = .azure(
                AzureIdentity(
                    accountKey: fields.value("account_key"), sasToken: fields.value("sas_token"),
                    connectionString: fields.value("connection_string"), tenantID: fields.value("tenant_id"),
                    clientID: fields.value("client_id"), clientSecret: fields.value("client_secret"),
                    certificateFile: fields.value("certificate_file"),
                    certificatePassword: fields.value("certificate_password"),
                    federatedTokenFile: fields.value("federated_token_file"),
                    usesManagedIdentity: fields.value("managed_identity") ?? false,
                    authorityHost: fields.value("authority_host"), isAnonymous: cloud.isAnonymous))
        case .file, .memory: preconditionFailure("a cloud of the configuration is s3, gs or az")
        }
    }
}
