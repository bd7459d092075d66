import HTTPStores
import ReplicationModel
import S3

extension StoreFactory {
    /// What is wrong with what a cloud shall encrypt new objects with; nil when it can be asked for.
    static func problem(_ encryption: String, _ service: ObjectLocation.Service) -> String? {
        switch service {
        case .s3:
            do throws(SettingError) {
                _ = try S3Encryption(encryption)
                return nil
            } catch {
                return error.message
            }
        case .gs:
            let isKey = encryption.wholeMatch(
                of: /projects\/[^\/]+\/locations\/[^\/]+\/keyRings\/[^\/]+\/cryptoKeys\/[^\/]+/)
            return isKey == nil
                ? "the encryption is a key's name: projects/P/locations/L/keyRings/R/cryptoKeys/K" : nil
        case .az:
            let isScope = encryption.wholeMatch(of: /[A-Za-z0-9-]{3,63}/)
            return isScope == nil
                ? "the encryption is the name of an encryption scope: 3 to 63 letters, digits and -" : nil
        case .file, .memory: return "a directory encrypts nothing: use a vault for that"
        }
    }
}
