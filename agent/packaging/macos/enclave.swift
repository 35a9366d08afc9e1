// Never run on macOS. ztagent-enclave: P-256 keys that this Mac's Secure Enclave makes and never gives out, by Apple
// CryptoKit, which alone needs neither an entitlement nor a keychain, and so is open to a daemon.
//
//   ztagent-enclave make     writes {"plain", "wrapped"}
//   ztagent-enclave sign     reads {"content", "wrapped"}, writes {"plain", "signature"}
//
// JSON by standard input and output, all values bytes in base64: "wrapped" is the key, which this enclave alone opens,
// "plain" its public key (SubjectPublicKeyInfo), "signature" ECDSA with SHA-256 in DER. Where it fails it says why in
// one line on standard error and ends with a status below. agent/enclave_keys.py asks, and checks what it answers.

import CryptoKit
import Foundation
import Security

enum Status: Int32 {
    case wrongUse = 2
    case noEnclave = 3
    case notMade = 4
    case notOpened = 5
    case notSigned = 6
}

struct Asked: Decodable {
    let content: Data
    let wrapped: Data
}

struct Made: Encodable {
    let plain: Data
    let wrapped: Data
}

struct Signed: Encodable {
    let plain: Data
    let signature: Data
}

func fail(_ status: Status, _ why: String) -> Never {
    let line = why.split(whereSeparator: { $0.isNewline }).joined(separator: " ")
    FileHandle.standardError.write(Data((line + "\n").utf8))
    exit(status.rawValue)
}

func make() throws -> Data {
    // After the first unlock, as CryptoKit has it by default, would mean after somebody logged in; the daemon speaks
    // before, and with nobody there. The compiler warns that Apple does not recommend it: for data of people.
    let always = kSecAttrAccessibleAlwaysThisDeviceOnly
    guard let access = SecAccessControlCreateWithFlags(nil, always, [.privateKeyUsage], nil) else {
        fail(.notMade, "no access control could be made")
    }
    let key: SecureEnclave.P256.Signing.PrivateKey
    do {
        key = try SecureEnclave.P256.Signing.PrivateKey(accessControl: access)
    } catch {
        fail(.notMade, "\(error)")
    }
    return try JSONEncoder().encode(Made(plain: key.publicKey.derRepresentation, wrapped: key.dataRepresentation))
}

func sign(_ asked: Asked) throws -> Data {
    let key: SecureEnclave.P256.Signing.PrivateKey
    do {
        key = try SecureEnclave.P256.Signing.PrivateKey(dataRepresentation: asked.wrapped)
    } catch {
        fail(.notOpened, "\(error)")
    }
    let signature: P256.Signing.ECDSASignature
    do {
        signature = try key.signature(for: asked.content)
    } catch {
        fail(.notSigned, "\(error)")
    }
    let plain = key.publicKey.derRepresentation
    return try JSONEncoder().encode(Signed(plain: plain, signature: signature.derRepresentation))
}

let task = CommandLine.arguments.count == 2 ? CommandLine.arguments[1] : ""
guard task == "make" || task == "sign" else {
    fail(.wrongUse, "usage: ztagent-enclave make | sign")
}
guard SecureEnclave.isAvailable else {
    fail(.noEnclave, "SecureEnclave.isAvailable is false")
}
do {
    if task == "make" {
        FileHandle.standardOutput.write(try make())
    } else {
        let given = FileHandle.standardInput.readDataToEndOfFile()
        FileHandle.standardOutput.write(try sign(try JSONDecoder().decode(Asked.self, from: given)))
    }
} catch {
    fail(.wrongUse, "\(error)")
}
