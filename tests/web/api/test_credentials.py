"""Every credential ends in one Caller, and nobody else gets in."""


def test_smoke(program, front_end, browser):
    client = program()
    assert client.get("/api/v1/auth/csrf").status_code == 200, client.get("/api/v1/auth/csrf").text
    assert client.get("/api/openapi.json").status_code == 200
    r = browser().get("/api/v2/reports/")
    assert (r.status_code, r.json()) == (401, {"detail": "Authentication credentials were not provided."})
    f = front_end()
    r = f.get("/api/v2/nothing/")
    assert (r.status_code, r.json()["error"]["code"]) == (404, "NOT_FOUND")
    r = browser().get("/api/invoices/x")
    assert r.json() == {"error": "Invalid authentication", "message": "Authentication credentials were not provided."}
