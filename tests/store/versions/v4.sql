PRAGMA application_id = 1718384228;
PRAGMA user_version = 4;
BEGIN TRANSACTION;
CREATE TABLE answers (
        policy TEXT NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        provider TEXT NOT NULL,
        zone TEXT NOT NULL,
        generation INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (policy, name, type, provider, zone)
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "answers" VALUES('inference-api','api.example.com','A','bind-main','example.com',8,'{"records":{"key":{"name":"api.example.com","type":"A"},"ttl":30,"answers":[{"value":"198.51.100.10","weight":10000}]},"generation":8,"shares":{"oci-ashburn":10000},"at":1000.4,"overruled":null}');
CREATE TABLE audit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        actor TEXT NOT NULL,
        origin TEXT NOT NULL,
        request TEXT NOT NULL,
        key TEXT NOT NULL,
        body TEXT NOT NULL,
        status INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) STRICT
    ;
CREATE TABLE changes (
        change_id TEXT PRIMARY KEY,
        policy TEXT NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        provider TEXT NOT NULL,
        zone TEXT NOT NULL,
        generation INTEGER NOT NULL,
        kind TEXT NOT NULL,
        shares_before TEXT NOT NULL,
        shares_after TEXT NOT NULL,
        plan TEXT NOT NULL,
        intended_at REAL NOT NULL,
        settled_at REAL,
        outcome TEXT,
        detail TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 1
    ) STRICT
    ;
INSERT INTO "changes" VALUES('chg-1','inference-api','api.example.com','A','bind-main','example.com',8,'change','{"azure-eastus": 7000, "oci-ashburn": 3000}','{"oci-ashburn": 10000}','{"id":"chg-1","kind":"change","target":{"policy":"inference-api","key":{"name":"api.example.com","type":"A"},"provider":"bind-main","zone":"example.com"},"before":{"target":{"policy":"inference-api","key":{"name":"api.example.com","type":"A"},"provider":"bind-main","zone":"example.com"},"records":{"key":{"name":"api.example.com","type":"A"},"ttl":30,"answers":[{"value":"192.0.2.10","weight":7000},{"value":"198.51.100.10","weight":3000}]},"marker":{"owner":"prod","policy":"inference-api","generation":7,"types":["A"]},"marker_text":"v=1 owner=prod policy=inference-api gen=7 types=A","foreign":[],"token":""},"after":{"key":{"name":"api.example.com","type":"A"},"ttl":30,"answers":[{"value":"198.51.100.10","weight":10000}]},"marker":{"owner":"prod","policy":"inference-api","generation":8,"types":["A"]},"shares_before":{"azure-eastus":7000,"oci-ashburn":3000},"shares_after":{"oci-ashburn":10000},"decision":{"target":{"policy":"inference-api","key":{"name":"api.example.com","type":"A"},"provider":"bind-main","zone":"example.com"},"kind":"failover","shares":{"oci-ashburn":10000},"records":{"key":{"name":"api.example.com","type":"A"},"ttl":30,"answers":[{"value":"198.51.100.10","weight":10000}]},"reasons":[{"code":"share","rule":"regions.oci-ashburn","region":"oci-ashburn","regions":[],"numbers":{"share":10000.0},"shares":{},"detail":"","text":""}],"at":100.0,"until":null,"values":{},"id":""},"revision":"4f2a91","baseline":null,"overruled":null,"cause":"failing_out","shifts":{},"whole":null}',1000.2,1000.4,'applied','',1);
CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        name TEXT NOT NULL,
        level TEXT NOT NULL,
        message TEXT NOT NULL,
        policy TEXT NOT NULL,
        incident_id TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        change_id TEXT NOT NULL,
        record TEXT NOT NULL,
        provider TEXT NOT NULL,
        facts TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO "events" VALUES(1,940.0,'policy.loaded','info','policy inference-api runs revision 4f2a91 of policies/inference-api.yaml','inference-api','','','','','','{"at": 940.0, "policy": "inference-api", "revision": "4f2a91", "file": "policies/inference-api.yaml"}');
INSERT INTO "events" VALUES(2,1000.0,'endpoint.failed','warning','192.0.2.10 in azure-eastus is down after 3 failures of live: 192.0.2.10 connect_refused three times in 1.0s','inference-api','inc-1','','','','','{"at": 1000.0, "policy": "inference-api", "incident_id": "inc-1", "region": "azure-eastus", "endpoint": "192.0.2.10", "check": "live", "was": "healthy", "reason": "connect_refused", "evidence": "192.0.2.10 connect_refused three times in 1.0s", "failures": 3, "passes": 0}');
INSERT INTO "events" VALUES(3,1000.1,'region.failed','error','region azure-eastus is down: its A endpoints score 0% (policies/inference-api.yaml:24). 192.0.2.10 connect_refused three times in 1.0s','inference-api','inc-1','','','','','{"at": 1000.1, "policy": "inference-api", "incident_id": "inc-1", "region": "azure-eastus", "record_type": "A", "was": "healthy", "score": 0, "evidence": "192.0.2.10 connect_refused three times in 1.0s", "rule_at": "policies/inference-api.yaml:24"}');
INSERT INTO "events" VALUES(4,1000.1,'incident.opened','warning','incident inc-1 opened: region azure-eastus is down. Runbook: https://runbooks.example.com/api','inference-api','inc-1','','','','','{"at": 1000.1, "policy": "inference-api", "incident_id": "inc-1", "cause": "region azure-eastus is down", "runbook": "https://runbooks.example.com/api"}');
INSERT INTO "events" VALUES(5,1000.2,'decision.made','info','api.example.com A at bind-main wants oci-ashburn 100% (failover)','inference-api','inc-1','dec-1','','api.example.com A','bind-main','{"at": 1000.2, "policy": "inference-api", "incident_id": "inc-1", "record": "api.example.com A", "provider": "bind-main", "zone": "example.com", "decision_id": "dec-1", "verdict": "failover", "shares": {"oci-ashburn": 10000}, "reasons": ["azure-eastus is down (score 0%)", "oci-ashburn gets 100%"]}');
INSERT INTO "events" VALUES(6,1000.3,'change.applied','info','api.example.com A at bind-main moved from azure-eastus 70%, oci-ashburn 30% to oci-ashburn 100% (generation 8). Why: azure-eastus is down (score 0%): 192.0.2.10 connect_refused three times in 1.0s','inference-api','inc-1','dec-1','chg-1','api.example.com A','bind-main','{"at": 1000.3, "policy": "inference-api", "incident_id": "inc-1", "record": "api.example.com A", "provider": "bind-main", "zone": "example.com", "decision_id": "dec-1", "change_id": "chg-1", "kind": "change", "generation": 8, "shares_from": {"azure-eastus": 7000, "oci-ashburn": 3000}, "shares_to": {"oci-ashburn": 10000}, "answers_from": {"192.0.2.10": 7000, "198.51.100.10": 3000}, "answers_to": {"198.51.100.10": 10000}, "ttl": 30, "cause": "failing_out", "reasons": ["azure-eastus is down (score 0%)", "oci-ashburn gets 100%"], "evidence": ["azure-eastus is down (score 0%): 192.0.2.10 connect_refused three times in 1.0s"], "limits": ["max_shift of tuning: 70%, within 70% per 300s"], "rule_at": "policies/inference-api.yaml:24", "revision": "4f2a91", "actor": "failoverd", "undo": "failoverctl undo chg-1", "took": 0.012}');
INSERT INTO "events" VALUES(7,1000.4,'change.verified','info','api.example.com A at bind-main is in place 100 ms after the decision: no authoritative server was asked; the old answer ages out in 30s','inference-api','inc-1','dec-1','chg-1','api.example.com A','bind-main','{"at": 1000.4, "policy": "inference-api", "incident_id": "inc-1", "record": "api.example.com A", "provider": "bind-main", "zone": "example.com", "decision_id": "dec-1", "change_id": "chg-1", "generation": 8, "took": 0.1, "aged_out_at": 1030.3, "servers": 0}');
CREATE TABLE incidents (
        incident_id TEXT PRIMARY KEY,
        policy TEXT NOT NULL,
        opened_at REAL NOT NULL,
        closed_at REAL,
        cause TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO "incidents" VALUES('inc-1','inference-api',1000.1,NULL,'region azure-eastus is down');
CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "meta" VALUES('instance','5b1f9a07');
CREATE TABLE overrides (
        id TEXT PRIMARY KEY,
        until REAL NOT NULL,
        body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "overrides" VALUES('drain-9f3a1c2b',4600.2,'{"id":"drain-9f3a1c2b","verb":"drain","scope":{"policies":[],"records":[],"regions":["azure-eastus"],"clouds":[],"endpoints":[]},"actor":"alice@bastion","since":1000.2,"until":4600.2,"comments":[{"at":1000.2,"actor":"alice@bastion","text":"maintenance"}],"shares":{},"part":0,"over":0.0,"now":false,"digest":"","name":"","undoes":"","breaks":[],"needed":1,"agreed":[],"ended_at":null,"ended_by":"","told":"given"}');
CREATE TABLE spending (
        account TEXT NOT NULL,
        day TEXT NOT NULL,
        amount INTEGER NOT NULL,
        PRIMARY KEY (account, day)
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "spending" VALUES('/run/secrets/llm-key','2026-11-22',4096);
CREATE TABLE states (
        policy TEXT NOT NULL,
        target TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (policy, target)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "states" VALUES('inference-api','','{"policy":"inference-api","version":1,"epoch":0,"incident":{"id":"inc-1","opened_at":1000.1,"changes":1},"verdicts":{},"calm":false,"returning":[],"targets":{}}');
INSERT INTO "states" VALUES('inference-api','bind-main example.com api.example.com A','{"target":{"policy":"inference-api","key":{"name":"api.example.com","type":"A"},"provider":"bind-main","zone":"example.com"},"last_good":{"records":{"key":{"name":"api.example.com","type":"A"},"ttl":30,"answers":[{"value":"198.51.100.10","weight":10000}]},"generation":8,"shares":{"oci-ashburn":10000},"at":1000.4,"overruled":null},"changes":[{"change_id":"chg-1","at":1000.4,"shares_before":{"azure-eastus":7000,"oci-ashburn":3000},"shares_after":{"oci-ashburn":10000},"shifts":{},"generation":8}],"doubts":[],"edit":null,"revision":"4f2a91","generation":8,"state":"in_sync","kind":"failover","told":{"decision_id":"","decision":null,"drift":["",""],"hold":null,"refused":"","delay":null,"failures":0},"common_fall":{}}');
CREATE TABLE "statuses" (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        policy TEXT NOT NULL,
        at REAL NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "statuses" VALUES('target','inference-api api.example.com A bind-main example.com','inference-api',1001.0,'{"target":{"policy":"inference-api","key":{"name":"api.example.com","type":"A"},"provider":"bind-main","zone":"example.com"},"at":1001.0,"state":"in_sync","kind":"failover","generation":8,"wanted":{"oci-ashburn":10000},"published":{"oci-ashburn":10000},"reasons":[],"checks":[],"detail":"","remedy":"","manual":"","until":null}');
CREATE INDEX changes_by_target ON changes (policy, name, type, provider, zone, settled_at);
CREATE INDEX changes_by_time ON changes (coalesce(settled_at, intended_at));
CREATE INDEX changes_open ON changes (change_id) WHERE outcome IS NULL;
CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_by_policy ON events (policy, at);
CREATE INDEX events_by_incident ON events (incident_id, seq) WHERE incident_id <> '';
CREATE INDEX events_by_decision ON events (decision_id) WHERE decision_id <> '';
CREATE INDEX events_by_change ON events (change_id) WHERE change_id <> '';
CREATE INDEX incidents_by_time ON incidents (opened_at);
CREATE INDEX audit_by_key ON audit (key, at) WHERE key <> '';
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER audit_is_never_pruned BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'append-only'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',7);
COMMIT;
