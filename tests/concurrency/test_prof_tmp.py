import os, time
from tests.concurrency.together import at_once
from tests.concurrency.test_claims import *
import sqlalchemy as sa
def test_trivial(servers):
    d = servers.direct(os.environ["TEST_DATABASE"])
    t=time.time(); at_once(d,[lambda c: c.execute(sa.text("select 1")).scalar()]*200); print("trivial", time.time()-t)
def test_claims(direct, members, database):
    import goatedvips; print(codes.__file__)
    t=time.time(); ms=[members.new(seeds=False) for _ in range(200)]; print("members", time.time()-t)
    i,c=issue(database,10)
    t=time.time(); claim_at_once(direct, ms, c); print("claims", time.time()-t)
