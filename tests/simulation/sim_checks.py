"""stub"""
def judge(run): return []
