package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxBody bounds the body of every request, in bytes: the longest password
// fits several times.
const maxBody = 16 << 10

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// readBody returns the body if it is of the content type.
//
// Errors: errContentType, errTooLarge, errUnreadable.
func readBody(w http.ResponseWriter, r *http.Request, contentType string) ([]byte, error) {
	return readBodyOf(w, r, contentType, maxBody)
}

func readBodyOf(w http.ResponseWriter, r *http.Request, contentType string, limit int64) ([]byte, error) {
	if err := checkContentType(r, contentType); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, errTooLarge
	}
	if err != nil || !utf8.Valid(body) {
		return nil, errUnreadable
	}
	return body, nil
}

func checkContentType(r *http.Request, want string) error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != want || len(r.Header.Values("Content-Type")) != 1 {
		return errContentType
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return errContentType
	}
	return nil
}

// parseObject reads a JSON object and returns the members that are asked for,
// all of them strings; the optional ones may be missing. Others are passed over, so that newer clients work with
// older servers. It is stricter than encoding/json: no name may come twice, in
// whatever meaning, names count to the letter, and nothing may follow.
func parseObject(body []byte, names []string, optional ...string) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errUnreadable
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errUnreadable
		}
		var value json.RawMessage
		if _, twice := members[name.(string)]; twice || d.Decode(&value) != nil {
			return nil, errUnreadable
		}
		members[name.(string)] = value // a name is a string: the decoder has checked it
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, errUnreadable
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errUnreadable
	}
	fields := map[string]string{}
	for _, name := range optional {
		if _, there := members[name]; there {
			names = append(names, name)
		}
	}
	for _, name := range names {
		var value *string // to tell null from ""
		if json.Unmarshal(members[name], &value) != nil || value == nil {
			return nil, errFields
		}
		fields[name] = *value
	}
	return fields, nil
}

// parseForm reads a form. No field may come twice.
func parseForm(body []byte) (map[string]string, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errUnreadable
	}
	return single(values)
}

// postedForm returns the fields of a page's form.
//
// Errors: errContentType, errTooLarge, errUnreadable.
func postedForm(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	if err := checkContentType(r, formType); err != nil {
		return nil, err
	}
	if r.PostForm != nil { // read already, where the CSRF token was looked for
		return single(r.PostForm)
	}
	body, err := readBody(w, r, formType)
	if err != nil {
		return nil, err
	}
	return parseForm(body)
}

func single(values url.Values) (map[string]string, error) {
	fields := make(map[string]string, len(values))
	for name, v := range values {
		if len(v) != 1 || !utf8.ValidString(name) || !utf8.ValidString(v[0]) {
			return nil, errUnreadable
		}
		fields[name] = v[0]
	}
	return fields, nil
}
