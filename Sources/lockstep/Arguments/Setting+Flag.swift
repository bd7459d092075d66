import ArgumentParser
import Configuration

extension Setting {
    /// On the command line.
    var flag: String {
        switch self {
        case .pointers: "--pointers"
        case .setDepth, .checkedSetDepth: "--set-depth"
        case .sets, .checkedSet: "--set"
        case .backupPrefix: "--backup-prefix"
        case .noManifest: "--no-manifest"
        case .control: "--control"
        case .signingKey: "--signing-key"
        case .keptManifests: "--keep-manifests"
        case .rate: "--limit-rate"
        case .memory: "--memory"
        case .concurrency: "--concurrency"
        case .partSize: "--part-size"
        case .lease: "--lease"
        case .evidence: "--evidence"
        case .noRead: "--no-read"
        case .seed: "--seed"
        case .sample: "--sample"
        }
    }

    /// Ends the command when flags say what cannot be.
    static func refuse(_ problems: (SettingNames) -> [SettingProblem]) throws(ValidationError) {
        if let problem = problems({ $0.flag }).first { throw ValidationError(problem.text) }
    }
}
