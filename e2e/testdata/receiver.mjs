// An app with express-openid-connect, which takes logout tokens. It prints the
// port that it listens on, and then each token that it has accepted.
import { createRequire } from 'node:module';

const require = createRequire(process.argv[2] + '/');
const express = require('express');
const { auth } = require('express-openid-connect');

const [issuerBaseURL, clientID] = process.argv.slice(3);
const app = express();
app.use(auth({
  issuerBaseURL,
  clientID,
  baseURL: 'http://localhost',
  secret: 'of this app, for cookies that nobody gets here',
  authRequired: false,
  idTokenSigningAlg: 'EdDSA',
  backchannelLogout: { onLogoutToken: (token) => console.log(JSON.stringify(token)), isLoggedOut: false, onLogin: false },
}));
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
