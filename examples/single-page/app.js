'use strict';

let csrf = '';
const $ = (id) => document.getElementById(id);

// call talks to the API. The browser adds the cookie; we add the CSRF token,
// which no other site knows.
async function call(method, path, body) {
  const answer = await fetch('/api/' + path, {
    method,
    headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 403) {
    // The session has ended, or is another one: begin anew.
    await refresh();
    throw new Error('Your session has ended. Log in again.');
  }
  if (!answer.ok) throw new Error(await answer.text());
  return answer.status === 204 ? null : answer.json();
}

function show(state) {
  csrf = state.csrf;
  $('login').hidden = state.user !== '';
  $('app').hidden = state.user === '';
  $('user').textContent = state.user;
  $('notes').replaceChildren(...(state.notes ?? []).map((note) => {
    const item = document.createElement('li');
    item.textContent = note; // not innerHTML: a note is text
    return item;
  }));
}

async function refresh() {
  const answer = await fetch('/api/session');
  show(await answer.json());
}

// on runs an action of the user, and says what went wrong.
function on(id, event, action) {
  $(id).addEventListener(event, async (e) => {
    e.preventDefault();
    $('message').textContent = '';
    try {
      await action(e.target);
    } catch (problem) {
      $('message').textContent = problem.message;
    }
  });
}

on('login', 'submit', async (form) => {
  show(await call('POST', 'login', Object.fromEntries(new FormData(form))));
  form.reset();
});
on('add', 'submit', async (form) => {
  show(await call('POST', 'notes', form.note.value));
  form.reset();
});
on('logout', 'click', async () => {
  await call('POST', 'logout');
  await refresh();
});
refresh();
