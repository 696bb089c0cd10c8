// A client that nobody here wrote: npm's openid-client. It is told where the server
// is and who it is, finds the rest in the metadata, and throws where an answer is
// not what the RFCs say. It prints what it was told, for the test to judge.
import * as client from 'openid-client'
import * as oauth from 'oauth4webapi' // which it is built on: it checks access tokens, too
import { createPrivateKey, webcrypto } from 'node:crypto'

const { SERVER, CLIENT_ID, CLIENT_SECRET, CLIENT_JWK, METHOD, ACCESS, REFRESH, RESOURCE } = process.env

async function authentication() {
  switch (METHOD) {
    case 'client_secret_basic': return client.ClientSecretBasic(CLIENT_SECRET)
    case 'client_secret_post': return client.ClientSecretPost(CLIENT_SECRET)
    case 'none': return client.None()
  }
  const jwk = JSON.parse(CLIENT_JWK)
  const algorithm = {
    EdDSA: 'Ed25519',
    ES256: { name: 'ECDSA', namedCurve: 'P-256' },
    PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
    RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  }[jwk.alg]
  const pkcs8 = createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs8', format: 'der' })
  const key = await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign'])
  return client.PrivateKeyJwt({ key, kid: jwk.kid })
}

const config = await client.discovery(new URL(SERVER), CLIENT_ID, undefined, await authentication(),
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })

const told = { issuer: config.serverMetadata().issuer }
// What a service does with the tokens that it gets (RFC 9068 section 4).
const asked = new Request(SERVER, { headers: { authorization: `Bearer ${ACCESS}` } })
told.claims = await oauth.validateJwtAccessToken(config.serverMetadata(), asked, SERVER, { [oauth.allowInsecureRequests]: true })
if (METHOD !== 'none') {
  told.access = await client.tokenIntrospection(config, ACCESS)
  told.refresh = await client.tokenIntrospection(config, REFRESH, { token_type_hint: 'refresh_token' })
  told.unknown = await client.tokenIntrospection(config, 'unknown')
} else {
  // The program that the tokens were given to: it is not registered.
  const next = await client.refreshTokenGrant(config, REFRESH, { resource: RESOURCE })
  told.refreshed = { access: next.access_token, refresh: next.refresh_token }
}
await client.tokenRevocation(config, told.refreshed?.refresh ?? ACCESS)
if (METHOD !== 'none') {
  told.revoked = [await client.tokenIntrospection(config, ACCESS), await client.tokenIntrospection(config, REFRESH)]
}
console.log(JSON.stringify(told))
